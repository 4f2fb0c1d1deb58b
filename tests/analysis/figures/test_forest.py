"""The forest plot."""

from __future__ import annotations

import pandas as pd

from analysis.figures.forest import forest, forest_data


def test_forest(correlation_table: pd.DataFrame) -> None:
    data = forest_data(correlation_table)
    assert list(dict.fromkeys(data["label"])) == ["all tasks", "facts", "strings"]
    assert data["place"].is_monotonic_increasing
    assert len(data) == 6
    row = data[(data["label"] == "facts") & (data["contrast"] == "zero-shot")].iloc[0]
    same = correlation_table[
        (correlation_table["contrast"] == "zero-shot")
        & (correlation_table["task_type"] == "facts")
        & (correlation_table["level"] == "type")
        & (correlation_table["coefficient"] == "pearson")
    ].iloc[0]
    assert tuple(row[["estimate", "low", "high"]]) == tuple(same[["estimate", "low", "high"]])
    assert len(forest(correlation_table).axes) == 1
