"""Heat maps of scores."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.figures.heat_map import heat_map, heat_map_data
from tests.analysis.samples import (
    X,
    Y,
)


def test_heat_map(scores: pd.DataFrame) -> None:
    table = heat_map_data(scores, arm=Y)
    assert table.shape == (4, 12)
    row = scores[(scores["arm"] == Y) & (scores["pair"] == "p7") & (scores["task"] == "b")]
    expected = (row["score"].iloc[0] - 0.5) / 0.5
    assert table.loc[("strings", "b"), "p7"] == pytest.approx(expected, rel=1e-12)
    assert len(heat_map(scores, arms=[X, Y]).axes) == 3
