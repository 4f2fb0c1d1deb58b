"""The work that benchmarks give to both sides: generated requests, scores, cells and rows."""
