"""The forest plot."""

from __future__ import annotations

import pandas as pd

from analysis.figures.forest import forest, forest_data
from analysis.tables.correlations import correlations
from tests.analysis.samples import (
    CONTRASTS,
)


def test_forest(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    data = forest_data(frame)
    assert list(dict.fromkeys(data["label"])) == ["all tasks", "facts", "strings"]
    assert data["place"].is_monotonic_increasing
    assert len(data) == 6
    row = data[(data["label"] == "facts") & (data["contrast"] == "zero-shot")].iloc[0]
    same = frame[
        (frame["contrast"] == "zero-shot")
        & (frame["task_type"] == "facts")
        & (frame["level"] == "type")
        & (frame["coefficient"] == "pearson")
    ].iloc[0]
    assert tuple(row[["estimate", "low", "high"]]) == tuple(same[["estimate", "low", "high"]])
    assert len(forest(frame).axes) == 1
