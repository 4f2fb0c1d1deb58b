"""Means over tasks and differences between task types: `tables/summaries.csv`.

In: the frame of scores and the contrasts. Out: one row per contrast and

    mean of <tasks>     random-effects mean of the tasks' correlations (meta_analysis.py), with the
                        prediction interval of another task and the heterogeneity
    <type> less <type>  difference of the types' mean Fisher's z
    types alike         test that all types have the same mean: Hotelling's T² of the differences

and the same by exposure (`exposure: …`), the moderator that would show whether a correlation comes
from training on the tested tasks.

The same pairs stand behind every task. Leaving out families gives the joint covariance of the
tasks' z, which with G families has rank at most G - 1: its diagonal and its mean correlation are
used. (The full matrix is needed only for differences, which are jackknifed directly.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.points import Group, groups
from analysis.statistics.multilevel.meta_analysis import equicorrelated, meta_analysis
from analysis.statistics.resampling.bca import correlations_of_counts, leave_one_family_out
from analysis.statistics.resampling.hotelling import hotelling_test
from analysis.statistics.resampling.jackknife import Jackknife
from analysis.tables.exposures import task_exposures
from study.config.analysis import Contrast

Floats = NDArray[np.float64]
COLUMNS = [
    "contrast",
    "summary",
    "n_tasks",
    "n_pairs",
    "n_families",
    "estimate",
    "low",
    "high",
    "p",
    "predicted_low",
    "predicted_high",
    "tau2",
    "i2",
    "scale",
    "method",
    "note",
]
MIN_TASKS = 3
"Tasks that a mean needs."


def summaries(scores: pd.DataFrame, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Compute the table; where something cannot be estimated the note says why."""
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        every = list(groups(scores, x_arm=contrast.x, y_arm=contrast.y))
        overall = every[0]
        partitions = {
            "types": {group.task_type: group.tasks for group in every if group.level == "type"},
            "exposures": _tasks_by_exposure(scores, overall.tasks),
        }
        shared = {"n_pairs": len(overall.pairs), "n_families": overall.families.count}
        if overall.problem:
            note = {"summary": "mean of all tasks", "note": overall.problem}
            rows.append(
                {"contrast": contrast.name, "n_tasks": len(overall.tasks), **shared, **note}
            )
            continue
        for row in _rows(overall, partitions, task_jackknife(overall)):
            rows.append({"contrast": contrast.name, **shared, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def task_jackknife(group: Group) -> Jackknife:
    """Jackknife of Fisher's z of every task across the group's pairs."""
    x, y, families = group.x.T, group.y.T, group.families
    whole = correlations_of_counts(x, y, families, np.ones((1, families.count)))[0]
    with np.errstate(divide="ignore"):
        z, replicates = np.arctanh(whole), np.arctanh(leave_one_family_out(x, y, families))
    finite = np.where(np.isfinite(replicates), replicates, math.nan)
    return Jackknife(np.where(np.isfinite(z), z, math.nan), finite, families.names)


def _tasks_by_exposure(scores: pd.DataFrame, tasks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Tasks by exposure; tasks whose exposure is unknown or differs between pairs are absent."""
    exposures = task_exposures(scores)
    names = sorted({str(exposures[task]) for task in tasks} - {""})
    return {
        f"exposure: {name}": tuple(task for task in tasks if exposures[task] == name)
        for name in names
    }


def _rows(
    overall: Group, partitions: dict[str, dict[str, tuple[str, ...]]], jackknife: Jackknife
) -> Iterator[dict[str, Any]]:
    index = {task: i for i, task in enumerate(overall.tasks)}
    everything = list(range(len(overall.tasks)))
    mean = _mean(jackknife, everything)
    yield {"summary": "mean of all tasks", "n_tasks": len(everything), **mean}
    for kind, partition in partitions.items():
        sets = {name: [index[t] for t in tasks if t in index] for name, tasks in partition.items()}
        for name, tasks in sets.items():
            yield {"summary": f"mean of {name}", "n_tasks": len(tasks), **_mean(jackknife, tasks)}
        for one, other in combinations(sets, 2):
            n_tasks = len(sets[one]) + len(sets[other])
            difference = _difference(jackknife, sets[one], sets[other])
            yield {"summary": f"{one} less {other}", "n_tasks": n_tasks, **difference}
        if len(sets) > 1:
            n_tasks = sum(map(len, sets.values()))
            test = equal_means(jackknife, list(sets.values()))
            yield {"summary": f"{kind} alike", "n_tasks": n_tasks, **test}


def equal_means(jackknife: Jackknife, sets: list[list[int]]) -> dict[str, Any]:
    """Test that sets of tasks have the same mean z."""
    usable = [tasks for indices in sets if (tasks := _usable(jackknife, indices))]
    q, families = len(usable) - 1, len(jackknife.families)
    if q < 1:
        return {"note": "not estimable: fewer than two of them have an estimable task"}
    if families - q < 2:
        return {"note": f"not estimable: {families} families are too few for {q + 1} means"}

    def differences(z: Floats) -> Floats:
        means = np.stack([z[..., tasks].mean(-1) for tasks in usable], axis=-1)
        return np.asarray(means[..., 1:] - means[..., :1])

    test = hotelling_test(
        Jackknife(
            differences(jackknife.estimates), differences(jackknife.replicates), jackknife.families
        )
    )
    df = f"F({test.df_numerator}, {test.df_denominator})"
    return {
        "estimate": test.f,
        "p": test.p,
        "scale": "F",
        "method": f"Hotelling's T², family jackknife, {df}",
        "note": "",
    }


def _usable(jackknife: Jackknife, tasks: list[int]) -> list[int]:
    """The tasks whose estimate and replicates are all finite."""
    finite = np.isfinite(jackknife.estimates) & np.isfinite(jackknife.replicates).all(0)
    return [task for task in tasks if finite[task]]


def _mean(jackknife: Jackknife, tasks: list[int]) -> dict[str, Any]:
    usable = _usable(jackknife, tasks)
    dropped = len(tasks) - len(usable)
    note = f"{dropped} tasks are not estimable" if dropped else ""
    if len(usable) < MIN_TASKS:
        reason = f"not estimable: {len(usable)} tasks, {MIN_TASKS} are needed"
        return {"note": "; ".join(filter(None, (reason, note)))}
    covariance = equicorrelated(jackknife.covariance[np.ix_(usable, usable)])
    meta = meta_analysis(jackknife.estimates[usable], covariance)
    return {
        "estimate": math.tanh(meta.coefficients[0]),
        "low": math.tanh(meta.low[0]),
        "high": math.tanh(meta.high[0]),
        "p": float(meta.p[0]),
        "predicted_low": math.tanh(meta.predicted_low),
        "predicted_high": math.tanh(meta.predicted_high),
        "tau2": meta.tau2,
        "i2": meta.i2,
        "scale": "r",
        "method": "REML, Hartung-Knapp, family jackknife covariance with equal correlations",
        "note": note,
    }


def _difference(jackknife: Jackknife, one: list[int], other: list[int]) -> dict[str, Any]:
    one, other = _usable(jackknife, one), _usable(jackknife, other)
    if not one or not other:
        return {"note": "not estimable: a type has no estimable task"}

    def difference(z: Floats) -> Floats:
        return np.asarray(z[..., one].mean(-1) - z[..., other].mean(-1))

    contrast = Jackknife(
        np.atleast_1d(difference(jackknife.estimates)),
        difference(jackknife.replicates)[:, None],
        jackknife.families,
    )
    interval, p, note = contrast.interval()
    return {
        "estimate": float(contrast.estimates[0]),
        "low": interval.low,
        "high": interval.high,
        "p": p,
        "scale": "Fisher's z",
        "method": interval.method,
        "note": note,
    }
