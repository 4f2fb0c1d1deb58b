"""Tuning base models by recipes: tuning data (data), training (training), identity, and `tune`."""
