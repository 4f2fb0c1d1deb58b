"""The section `tuning` of study.yaml: what is tuned on (mixtures), how (methods), and which recipes
are made of both (recipes, grids)."""
