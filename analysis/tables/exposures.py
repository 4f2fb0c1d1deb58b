"""Scores by what tuning showed of a task: `tables/exposures.csv`.

In: the frame of scores, the contrasts. Out: one row per contrast, exposure, task type (or all) and
quantity, over the combinations of pair and task that have that exposure:

    x, y       mean chance-normalised scores of the two arms
    gap        y less x
    pearson    correlation across pairs within a task: the mean of Fisher's z over tasks, weighted
               by the number of pairs less three (Hedges & Olkin 1985, section 11.2)

Where recipes differ in their mixtures, some models have seen a task and others have not, so that
exposures divide combinations of pair and task, not tasks. Intervals are those of the family
jackknife (statistics/resampling/jackknife.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.points import contrast_points
from analysis.statistics.families import Families
from analysis.statistics.interval import FAMILY_NOISE, join_noise
from analysis.statistics.resampling.jackknife import family_jackknife
from study.config.analysis import Contrast
from study.results.schema import EXPOSURES

Floats = NDArray[np.float64]
COLUMNS = [
    "contrast",
    "exposure",
    "task_type",
    "quantity",
    "n_pairs",
    "n_families",
    "n_tasks",
    "estimate",
    "low",
    "high",
    "p",
    "covers",
    "note",
]
QUANTITIES = ("x", "y", "gap", "pearson")
MIN_PAIRS = 4
"Pairs that a correlation within a task needs."


def task_exposures(scores: pd.DataFrame) -> pd.Series:
    """Exposure of each task, empty where it differs between pairs."""
    by_task = scores.groupby("task")["exposure"]
    return by_task.first().where(by_task.nunique() == 1, "")


def exposures(scores: pd.DataFrame, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Compute the table; it is empty where no exposure is known."""
    rows: list[dict[str, Any]] = []
    known = scores.drop_duplicates(["pair", "task"])[["pair", "task", "exposure"]]
    for contrast in contrasts:
        points = contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task")
        points = points.merge(known, on=["pair", "task"])
        for exposure in (name for name in EXPOSURES if name):
            exposed = points[points["exposure"] == exposure]
            for task_type in ("", *sorted(exposed["task_type"].unique())):
                part = exposed if not task_type else exposed[exposed["task_type"] == task_type]
                if len(part):
                    shared = {"contrast": contrast.name, "exposure": exposure}
                    rows += [{**shared, "task_type": task_type, **row} for row in _rows(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(points: pd.DataFrame) -> Iterator[dict[str, Any]]:
    pairs = points.drop_duplicates("pair").sort_values("pair")
    families = Families.of(list(pairs["family"]))
    index = {pair: i for i, pair in enumerate(pairs["pair"])}
    x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
    pair_index = points["pair"].map(index).to_numpy(int)
    tasks = points["task"].to_numpy()

    def statistic(selected: NDArray[np.bool_]) -> Floats:
        chosen = selected[pair_index]
        if not chosen.any():
            return np.full(len(QUANTITIES), math.nan)
        means = x[chosen].mean(), y[chosen].mean()
        return np.array([*means, means[1] - means[0], _mean_z(x[chosen], y[chosen], tasks[chosen])])

    jackknife = family_jackknife(statistic, families)
    for i, quantity in enumerate(QUANTITIES):
        fisher = quantity == "pearson"
        interval, p, note = jackknife.interval(i, fisher=fisher)
        estimate = float(jackknife.estimates[i])
        if fisher and not math.isfinite(estimate):
            note = f"undefined: no task with {MIN_PAIRS} pairs that differ"
        yield {
            "quantity": quantity,
            "n_pairs": len(pairs),
            "n_families": families.count,
            "n_tasks": len(set(tasks)),
            "estimate": math.tanh(estimate) if fisher else estimate,
            "low": interval.low,
            "high": interval.high,
            "p": p if quantity in ("gap", "pearson") else math.nan,
            "covers": join_noise(FAMILY_NOISE),
            "note": note,
        }


def _mean_z(x: Floats, y: Floats, tasks: NDArray[Any]) -> float:
    """Weighted mean of Fisher's z over tasks; nan if no task has enough pairs that differ."""
    total, weights = 0.0, 0.0
    for task in sorted(set(tasks)):
        rows = tasks == task
        count = int(rows.sum())
        if count >= MIN_PAIRS and np.ptp(x[rows]) > 0 and np.ptp(y[rows]) > 0:
            r = float(np.corrcoef(x[rows], y[rows])[0, 1])
            if abs(r) < 1:
                total += (count - 3) * math.atanh(r)
                weights += count - 3
    return total / weights if weights else math.nan
