"""Estimators and tests: arrays in, frozen results out. Nothing here knows of studies or files."""
