"""Tasks: suites, lm-eval's tasks, items, demonstrations, and the forms of their prompts."""
