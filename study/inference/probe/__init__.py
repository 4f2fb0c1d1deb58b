"""Whether a loaded model can be packed."""
