"""Figures, one file each: a pure data half and a drawing half."""
