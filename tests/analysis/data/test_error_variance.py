"""Error variances come from item scores where all tasks have them, else from standard errors."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.data.error_variance import group_error_variance
from analysis.data.items import ItemScores
from analysis.data.points import groups
from analysis.statistics.disattenuation.moments import error_covariance
from tests.analysis.samples import X, Y, item_study


def test_item_scores_come_first() -> None:
    scores, items = item_study(pairs=10, tasks=2, items=20)
    group = next(groups(scores, x_arm=X, y_arm=Y))
    errors = group_error_variance(group, items)
    assert errors is not None
    assert errors.tasks is not None
    everyone = np.ones(10, dtype=np.bool_)
    expected = np.zeros((2, 2))
    for task in group.tasks:
        x, y = (items.by_arm_and_task[arm, task].scores.mean(1) for arm in (X, Y))
        expected += error_covariance(x, y)
    assert errors.covariances(everyone)[3] == pytest.approx(expected / 4)


def test_standard_errors_stand_in(scores: pd.DataFrame) -> None:
    group = next(groups(scores, x_arm=X, y_arm=Y))
    errors = group_error_variance(group, ItemScores({}))
    assert errors is not None
    assert errors.tasks is None
    first = np.arange(12) == 0
    expected = (group.x_stderr[0] ** 2).sum() / 16
    assert errors.covariances(first)[0, 0, 0] == pytest.approx(expected)


def test_without_either_there_is_none(scores: pd.DataFrame) -> None:
    group = next(groups(scores.assign(stderr=math.nan), x_arm=X, y_arm=Y))
    assert group_error_variance(group, None) is None
