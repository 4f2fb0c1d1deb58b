"""Evaluating cells: one model's job, its prompts, its responses, and the record of each cell."""
