"""The executor `slurm`: arrays of jobs on a cluster, one job for each model."""
