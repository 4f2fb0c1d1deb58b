"""The correlation without each family: rows by estimate."""

from __future__ import annotations

import pandas as pd

from analysis.figures.leave_one_out import leave_one_out, leave_one_out_data


def test_families_are_ordered_by_their_estimate(robustness_table: pd.DataFrame) -> None:
    families = leave_one_out_data(robustness_table, contrast="in-context")
    assert set(families["family"]) == {f"f{i}" for i in range(5)}
    assert families["estimate"].is_monotonic_increasing
    figure = leave_one_out(robustness_table, contrast="in-context")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == list(families["family"])
