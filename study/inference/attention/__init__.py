"""Attention over keys and values that several sequences share."""
