"""The section `tuning` of study.yaml: tuning data (mixtures), methods, and recipes that combine
both (recipes, and grids, which expand them)."""
