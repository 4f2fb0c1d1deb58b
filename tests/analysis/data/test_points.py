"""Points of a contrast: averages, chance-normalisation, standard errors."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.data.points import contrast_points
from tests.analysis.samples import (
    X,
    Y,
)


def test_points_of_a_type_are_means_of_chance_normalised_scores(scores: pd.DataFrame) -> None:
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    assert len(points) == 24
    one = points[(points["pair"] == "p3") & (points["task_type"] == "strings")].iloc[0]
    rows = scores[(scores["pair"] == "p3") & (scores["arm"] == X)]
    a, b = (rows.loc[rows["task"] == task, "score"].mean() for task in "ab")
    assert one["x"] == pytest.approx(((a - 0.25) / 0.75 + (b - 0.5) / 0.5) / 2, rel=1e-12)
    by_hand = math.hypot(0.03 / 0.75, 0.03 / 0.5) / 2
    assert one["x_stderr"] == pytest.approx(by_hand, rel=1e-12)
    assert one["n_tasks"] == 2


def test_a_pair_without_one_of_the_tasks_is_dropped(scores: pd.DataFrame) -> None:
    dropped = (scores["pair"] == "p0") & (scores["task"] == "a") & (scores["arm"] == Y)
    incomplete = scores[~dropped]
    types = contrast_points(incomplete, x_arm=X, y_arm=Y, level="type").groupby("task_type").size()
    assert dict(types) == {"facts": 12, "strings": 11}
    assert len(contrast_points(incomplete, x_arm=X, y_arm=Y, level="overall")) == 11


def test_unknown_arm_or_level(scores: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no scores of arm 'base-9shot'; there are base-0shot"):
        contrast_points(scores, x_arm="base-9shot", y_arm=Y)
    with pytest.raises(ValueError, match="level must be one of overall, type, task; found 'all'"):
        contrast_points(scores, x_arm=X, y_arm=Y, level="all")
