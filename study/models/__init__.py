"""Models: which pairs a study has, where their files are, and how their tokenizers are set up."""
