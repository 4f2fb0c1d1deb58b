"""Runs a study of (base, tuned) pairs and writes its results to files; `analysis` reads them."""

__version__ = "0.1.0"
