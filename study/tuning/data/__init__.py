"""From a recipe's sources to token ids with label weights.

sources -> mixing (with formats) -> marking (with context_indicator) -> rendering -> label_weights
-> examples. `exposure` says what a mixture shows of a task.
"""
