"""Generation requests: greedy decoding of prompts that share a prefix, in batches."""
