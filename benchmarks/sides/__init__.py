"""What benchmarks compare with: lm-eval's `hf` model, plain matrix products, other trainers."""
