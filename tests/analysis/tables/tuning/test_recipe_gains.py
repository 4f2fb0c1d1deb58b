"""Gains between recipes: hand-computed numbers."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.tables.tuning.recipe_gains import recipe_gains
from study.config.analysis import Comparison
from tests.analysis.samples import recipe_study


def test_gains_compare_models_that_differ_in_one_axis() -> None:
    tuned, scores = recipe_study()
    table = recipe_gains(scores, tuned, [Comparison(axis="loss", baseline="output")])
    gains = table[table["task_type"] == ""].set_index(["mixture", "scale"])
    assert set(table["value"]) == {"all"}
    assert gains.loc[("short", "absolute"), "estimate"] == pytest.approx(0.1)
    assert gains.loc[("long", "absolute"), "estimate"] == pytest.approx(0.3)
    assert gains.loc[("", "absolute"), "estimate"] == pytest.approx(0.2)
    before = [0.2 + 0.05 * f + 0.01 * seed for f in range(3) for seed in (0, 1)]
    assert gains.loc[("short", "relative"), "estimate"] == pytest.approx(0.1 / np.mean(before))
    odds = [np.log((100 * s + 0.5) / (100 * (1 - s) + 0.5)) for s in before]
    more = [np.log((100 * (s + 0.1) + 0.5) / (100 * (0.9 - s) + 0.5)) for s in before]
    wanted = np.mean(np.subtract(more, odds))
    assert gains.loc[("short", "log_odds"), "estimate"] == pytest.approx(wanted)
    assert set(gains["n_families"]) == {3}
    low, high = gains.loc[("short", "log_odds"), ["low", "high"]]
    assert low < wanted < high
