"""Finished cells on disk: written whole, marked as done last, and gathered into bundles."""
