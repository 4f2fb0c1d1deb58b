"""Cells: the units of work, with the identity of everything that can move their numbers."""
