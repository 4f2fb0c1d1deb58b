"""From texts to token ids: each text once, for all models with the same tokenizer."""
