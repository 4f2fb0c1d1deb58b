"""Generation requests: greedy decoding of prompts that begin alike, in batches."""
