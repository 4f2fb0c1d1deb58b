"""Panels of all pairs, family means, and deviations from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.figures.families_apart import families_apart, families_apart_data
from analysis.formatting import number
from analysis.statistics.correlation.within_between import within_between
from analysis.statistics.families import Families
from tests.analysis.samples import (
    CONTRASTS,
    X,
    Y,
)


def test_families_apart(scores: pd.DataFrame, robustness_table: pd.DataFrame) -> None:
    data = families_apart_data(scores, x_arm=X, y_arm=Y)
    sizes = data.groupby("panel", sort=False).size()
    assert dict(sizes) == {"all pairs": 12, "means of families": 5, "within families": 12}
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="overall")
    result = within_between(points["x"], points["y"], Families.of(list(points["family"])))
    for panel, expected in zip(
        sizes.index, (result.pooled, result.between, result.within), strict=True
    ):
        shown_points = data[data["panel"] == panel]
        assert np.corrcoef(shown_points["x"], shown_points["y"])[0, 1] == pytest.approx(expected)
    figure = families_apart(scores, robustness_table, CONTRASTS[0])
    shown = [axis.get_title().split("r = ")[1].split()[0] for axis in figure.axes]
    expected = [number(r) for r in (result.pooled, result.between, result.within)]
    assert shown == expected
