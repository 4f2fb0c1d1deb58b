"""Reliability and variance components of simulated scores."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.data.items import AlignedItems, ItemScores
from analysis.tables.reliability import reliabilities


def test_variances_are_those_that_were_simulated() -> None:
    """Between models 1, by draw .25, by item 1, both .5: of 3 draws and 50 items."""
    rng = np.random.default_rng(0)
    shape = (2000, 3, 50)
    scores = (
        rng.normal(size=(2000, 1, 1))
        + 0.5 * rng.normal(size=(2000, 3, 1))
        + rng.normal(size=(2000, 1, 50))
        + np.sqrt(0.5) * rng.normal(size=shape)
        + 5 * rng.normal(size=(1, 3, 1))
        + 5 * rng.normal(size=(1, 1, 50))
    )
    names = tuple(f"p{i}" for i in range(2000))
    answers = {("base-5shot", "t"): AlignedItems(names, np.arange(50), scores)}
    row = reliabilities(ItemScores(answers)).iloc[0]
    expected = {"of_items": 1 / 50, "of_draws": 0.25 / 3, "of_both": 0.5 / 150}
    for part, value in expected.items():
        assert row[part] == pytest.approx(value, rel=0.1)
    error = sum(expected.values())
    assert row["variance"] == pytest.approx(1 + error, rel=0.1)
    assert row["reliability"] == pytest.approx(1 / (1 + error), rel=0.02)
    few = ItemScores({("a", "t"): AlignedItems(names[:2], np.arange(50), scores[:2])})
    assert "2 pairs" in reliabilities(few)["note"].iloc[0]
    one = ItemScores({("a", "t"): AlignedItems(names, np.arange(50), scores[:, :1])})
    assert np.isnan(reliabilities(one)["of_draws"].iloc[0])
