"""Correlations across pairs, tests between them, and what remains of them given covariates."""
