"""Prompt forms: other ways of putting a task's questions, and of reading what models answer."""
