"""Places where jobs run, one file each. What is the same everywhere is in `study.running`."""
