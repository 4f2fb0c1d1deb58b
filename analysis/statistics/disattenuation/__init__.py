"""Correction of correlations for measurement error."""
