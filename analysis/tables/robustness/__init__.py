"""Robustness of the overall correlation: `tables/robustness.csv`."""
