"""Correlations by number of demonstrations."""

from __future__ import annotations

import pandas as pd

from analysis.figures.shots import shots, shots_data
from analysis.tables.correlations import headline
from tests.analysis.samples import (
    CONTRASTS,
)


def test_shots(scores: pd.DataFrame, correlation_table: pd.DataFrame) -> None:
    data = shots_data(scores, CONTRASTS[0])
    assert list(data["label"].unique()) == ["all tasks", "facts", "strings"]
    assert list(data["shots"]) == [0, 5] * 3
    table = headline(correlation_table)

    for _, row in data.iterrows():
        kind = "" if row["label"] == "all tasks" else row["label"]
        same = table[(table["x_arm"] == row["arm"]) & (table["task_type"] == kind)]
        same = same[same["level"] != "task"].iloc[0]
        assert (row["estimate"], row["low"]) == (same["estimate"], same["low"])
    assert len(shots(scores, CONTRASTS[0]).axes) == 1
