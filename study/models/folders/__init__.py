"""Model folders: where they are, which of their files are read, and loading what is in them."""
