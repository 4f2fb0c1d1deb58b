"""Statistics over the items of a task: standard errors, sample sizes, agreement."""
