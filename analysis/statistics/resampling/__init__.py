"""Inference clustered by model family: jackknife, wild bootstrap, permutation tests, BCa."""
