"""Correlations as measured, given size and within families."""

from __future__ import annotations

import pandas as pd

from analysis.figures.controls import controls, controls_data


def test_checks_are_those_of_the_table(robustness_table: pd.DataFrame) -> None:
    data = controls_data(robustness_table)
    assert list(data["check"]) == 2 * ["as measured", "given size", "within families"]
    table = robustness_table[robustness_table["contrast"] == "in-context"].set_index("check")
    assert data.loc[1, "estimate"] == table.loc["given size", "estimate"]
    assert len(controls(robustness_table).axes) == 1
