"""lm-eval: its tasks, their identity, and the types that this package sees of it."""
