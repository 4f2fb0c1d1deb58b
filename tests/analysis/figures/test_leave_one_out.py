"""The correlation without each family."""

from __future__ import annotations

import pandas as pd

from analysis.figures.controls import controls, controls_data
from analysis.figures.leave_one_out import leave_one_out, leave_one_out_data
from analysis.tables.robustness.checks import robustness
from tests.analysis.samples import (
    CONTRASTS,
)


def test_figures_of_what_remains(scores: pd.DataFrame) -> None:
    table = robustness(scores, CONTRASTS)
    data = controls_data(table)
    assert list(data["check"]) == 2 * ["as measured", "given size", "within families"]
    first = table[(table["contrast"] == "in-context") & (table["check"] == "given size")].iloc[0]
    assert data.loc[1, "estimate"] == first["estimate"]
    assert len(controls(table).axes) == 1
    families = leave_one_out_data(table, contrast="in-context")
    assert set(families["family"]) == {f"f{i}" for i in range(5)}
    assert families["estimate"].is_monotonic_increasing
    drawn = leave_one_out(table, contrast="in-context")
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == list(
        families["family"]
    )
