"""Grids become recipes, each with a name and an identity of its own."""

from __future__ import annotations

import json

import yaml

from study.config.tuning.grids import recipes
from study.config.tuning.recipes import Tuning


def test_ten_lines_make_ninety_models() -> None:
    text = """
mixtures:
  all: {sources: [{zoo: [reverse, category]}], rows: 100}
  strings: {like: all, only: [strings]}
  rest: {like: all, without: [strings]}
recipes:
  - name: grid
    bases: [{source: zoo, pair: [llama-late-s, neox-late-s, olmo2-late-s]}]
    mixture: [all, strings, rest]
    format: [flan, samplegen]
    seed: [0, 1, 2, 3, 4]
"""
    assert len(text.strip().splitlines()) == 10
    tuning = Tuning.model_validate(yaml.safe_load(text))
    expanded = list(recipes(tuning, tuning.recipes[0]))
    assert 3 * len(expanded) == 90
    assert len({recipe.name for recipe in expanded}) == 30
    identities = {json.dumps(recipe.identity(), sort_keys=True) for recipe in expanded}
    assert len(identities) == 30
    assert [recipe.name for recipe in expanded[:2]] == ["grid-all-flan-s0", "grid-all-flan-s1"]
    assert [recipe.writes for recipe in expanded[:6]] == [False] * 5 + [True]
