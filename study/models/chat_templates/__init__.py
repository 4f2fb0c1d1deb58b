"""Chat templates: published ones, what they are rendered from, whether they make a model think."""
