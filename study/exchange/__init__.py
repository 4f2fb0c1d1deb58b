"""Scores in and out: the CSV form of `tables/scores.csv`, and lm-eval's own results."""
