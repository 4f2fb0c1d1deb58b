"""A small world of tiny language models, in which a whole study runs on a laptop in minutes."""
