"""Leave-one-out rows: which subsets they leave out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import Group, groups
from analysis.statistics.correlation.correlate import correlate
from analysis.tables.robustness.leave_one_out import FAMILY, SIZE, TASK, leave_one_out_rows
from tests.analysis.samples import X, Y


@pytest.fixture
def overall(scores: pd.DataFrame) -> Group:
    return next(groups(scores, x_arm=X, y_arm=Y))


def test_families_sizes_and_tasks(overall: Group) -> None:
    rows = {row["check"]: row for row in leave_one_out_rows(overall)}
    assert [sum(name.startswith(kind) for name in rows) for kind in (FAMILY, SIZE, TASK)] == [
        5,
        3,
        4,
    ]
    remaining = np.array([label != "f2" for label in overall.families.labels])
    expected = correlate(
        overall.x.mean(1)[remaining],
        overall.y.mean(1)[remaining],
        overall.families.select(remaining),
    )
    assert rows["without family: f2"]["estimate"] == expected.estimate
    assert rows["without family: f2"]["n_families"] == 4
    assert rows["without sizes: the largest"]["n_pairs"] == 8
    assert rows["without task: a"]["n_pairs"] == 12


def test_unknown_sizes_and_single_tasks_are_skipped(overall: Group) -> None:
    sizes = overall.params_b.copy()
    sizes[3] = math.nan
    one_task = replace(
        overall, params_b=sizes, tasks=("a",), x=overall.x[:, :1], y=overall.y[:, :1]
    )
    assert all(row["check"].startswith(FAMILY) for row in leave_one_out_rows(one_task))
