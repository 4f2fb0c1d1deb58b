"""What tuning showed of a task, and what became of it: `tables/exposures.csv`.

In: the scores' frame, the contrasts. Out: one row per contrast, exposure, task type (or all) and
quantity, over the (pair, task) places that have that exposure:

    x, y       the mean chance-normalised scores of the two arms
    gap        y less x
    pearson    the correlation across pairs within a task: the mean of Fisher's z over tasks, each
               weighing as many pairs as it has less three (Hedges & Olkin 1985, section 11.2)

Where recipes differ in their mixtures, one task is seen by some models and not by others, so that
pairs differ between exposures; hence the places, and not the tasks, are parted. Intervals leave out
one family at a time (analysis/jackknife.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.families import Families
from analysis.data.points import contrast_points
from analysis.statistics.resampling.jackknife import family_jackknife
from study.config.analysis import Contrast
from study.results.schema import EXPOSURES

COLUMNS = ["contrast", "exposure", "task_type", "quantity", "n_pairs", "n_families", "n_tasks",
           "estimate", "low", "high", "p", "covers", "note"]  # fmt: skip
QUANTITIES = ("x", "y", "gap", "pearson")
LEAST_PAIRS = 4
"For a correlation within a task."


def task_exposures(scores: pd.DataFrame) -> pd.Series:
    """By task, its exposure where it is the same for all pairs, else empty."""
    by_task = scores.groupby("task")["exposure"]
    return by_task.first().where(by_task.nunique() == 1, "")


def exposures(scores: pd.DataFrame, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """All rows; none for contrasts of which no exposure is known."""
    rows: list[dict[str, Any]] = []
    known = scores.drop_duplicates(["pair", "task"])[["pair", "task", "exposure"]]
    for contrast in contrasts:
        points = contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task")
        points = points.merge(known, on=["pair", "task"])
        for exposure in (name for name in EXPOSURES if name):
            own = points[points["exposure"] == exposure]
            for task_type in ("", *sorted(own["task_type"].unique())):
                part = own if task_type == "" else own[own["task_type"] == task_type]
                if len(part):
                    about = {"contrast": contrast.name, "exposure": exposure}
                    rows += [{**about, "task_type": task_type, **row} for row in _rows(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(points: pd.DataFrame) -> Iterator[dict[str, Any]]:
    pairs = points.drop_duplicates("pair").sort_values("pair")
    families = Families.of(list(pairs["family"]))
    place = {pair: i for i, pair in enumerate(pairs["pair"])}
    x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
    of_pair = points["pair"].map(place).to_numpy(int)
    tasks = points["task"].to_numpy()

    def statistic(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        inside = chosen[of_pair]
        if not inside.any():
            return np.full(len(QUANTITIES), math.nan)
        means = x[inside].mean(), y[inside].mean()
        return np.array([*means, means[1] - means[0], _mean_z(x[inside], y[inside], tasks[inside])])

    jackknife = family_jackknife(statistic, families)
    for which, quantity in enumerate(QUANTITIES):
        fisher = quantity == "pearson"
        interval, p, note = jackknife.interval(which, fisher=fisher)
        estimate = float(jackknife.estimates[which])
        if fisher and not math.isfinite(estimate):
            note = f"undefined: no task with {LEAST_PAIRS} pairs that differ"
        yield {
            "quantity": quantity,
            "n_pairs": len(pairs),
            "n_families": families.count,
            "n_tasks": len(set(tasks)),
            "estimate": math.tanh(estimate) if fisher else estimate,
            "low": interval.low,
            "high": interval.high,
            "p": p if quantity in ("gap", "pearson") else math.nan,
            "covers": "items, draws, families",
            "note": note,
        }


def _mean_z(x: NDArray[np.float64], y: NDArray[np.float64], tasks: NDArray[Any]) -> float:
    total, weights = 0.0, 0.0
    for task in sorted(set(tasks)):
        own = tasks == task
        number = int(own.sum())
        if number >= LEAST_PAIRS and np.ptp(x[own]) > 0 and np.ptp(y[own]) > 0:
            r = float(np.corrcoef(x[own], y[own])[0, 1])
            if abs(r) < 1:
                total += (number - 3) * math.atanh(r)
                weights += number - 3
    return total / weights if weights else math.nan
