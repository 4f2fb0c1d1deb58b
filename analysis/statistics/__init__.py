"""Estimators and tests: arrays in, frozen results out. Independent of studies and files."""
