"""Gains of recipes: rows and panels."""

from __future__ import annotations

from analysis.figures.gains import gains, gains_data
from analysis.tables.tuning.recipe_gains import recipe_gains
from study.config.analysis import Comparison
from tests.analysis.samples import recipe_study


def test_a_panel_for_each_scale() -> None:
    tuned, scores = recipe_study()
    table = recipe_gains(scores, tuned, [Comparison(axis="loss", baseline="output")])
    assert len(gains_data(table)) == 9
    assert len(gains(table).axes) == 3
