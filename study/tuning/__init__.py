"""Tuning under control: recipes, data mixtures, label masks, training, context indicators."""
