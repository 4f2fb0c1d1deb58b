"""Entries of `pairs`: selected or listed."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from study.config.pairs import ListedPair, SelectedPairs

LISTED = {"base": "org/b", "tuned": "org/t", "family": "f", "params_b": 1.0}


def test_sizes_of_selected_pairs_may_be_unbounded_and_those_of_listed_ones_not() -> None:
    selected = SelectedPairs.model_validate({"source": "zoo", "max_params_b": math.inf})
    assert selected == SelectedPairs(source="zoo")
    for size in (math.inf, math.nan):
        with pytest.raises(ValidationError):
            ListedPair.model_validate({**LISTED, "params_b": size})
    assert ListedPair.model_validate(LISTED).name is None
