"""Meta-analysis over tasks, and mixed models over all cells."""
