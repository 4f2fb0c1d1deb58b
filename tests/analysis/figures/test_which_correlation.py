"""The heat map of estimands."""

from __future__ import annotations

import pandas as pd

from analysis.figures.which_correlation import which_correlation, which_correlation_data
from analysis.formatting import number
from analysis.tables.correlations import correlations
from tests.analysis.samples import (
    CONTRASTS,
)


def test_which_correlation(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    table = which_correlation_data(frame, contrast="in-context")
    assert list(table.index) == ["all tasks", "facts", "strings"]
    assert table.columns[0] == "across pairs"
    assert table.loc["facts", "double centred"] != table.loc["facts", "double centred"]
    assert table.loc["all tasks"].drop("across pairs, corrected").notna().all()
    drawn = which_correlation(frame, contrast="in-context")
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert texts == [number(float(value)) for value in table.to_numpy().ravel()]
