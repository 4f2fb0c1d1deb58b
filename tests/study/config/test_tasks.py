"""The range of a metric, as the study file gives it."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from study.config.tasks import ListedTask

TASK = {"task": "t", "task_type": "a", "metric": "acc", "chance": 0}


@pytest.mark.parametrize("ends", [[0, 1], [-1, 1], [-100.5, 0.5]])
def test_a_range_begins_anywhere_and_ends_at_one_at_most(ends: list[float]) -> None:
    assert ListedTask.model_validate({**TASK, "range": ends}).range == ends
    assert ListedTask.model_validate(TASK).range is None


@pytest.mark.parametrize(
    "ends",
    [
        [],
        [0],
        [0, 0.5, 1],
        [0.5, 0.5],
        [1, 0],
        [0, 1.5],
        [-math.inf, 1],
        [math.nan, 1],
        [0, math.nan],
    ],
)
def test_what_is_no_range(ends: list[float]) -> None:
    with pytest.raises(ValidationError):
        ListedTask.model_validate({**TASK, "range": ends})
