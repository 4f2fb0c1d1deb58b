"""The heat map of estimands."""

from __future__ import annotations

import pandas as pd

from analysis.figures.which_correlation import which_correlation, which_correlation_data
from analysis.formatting import number


def test_which_correlation(correlation_table: pd.DataFrame) -> None:
    table = which_correlation_data(correlation_table, contrast="in-context")
    assert list(table.index) == ["all tasks", "facts", "strings"]
    assert table.columns[0] == "across pairs"
    assert table.loc["facts", "double centred"] != table.loc["facts", "double centred"]
    assert table.loc["all tasks"].drop("across pairs, corrected").notna().all()
    figure = which_correlation(correlation_table, contrast="in-context")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [number(float(value)) for value in table.to_numpy().ravel()]
