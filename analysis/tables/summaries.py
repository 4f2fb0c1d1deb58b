"""Tasks taken together, and types against each other: `tables/summaries.csv`.

In: the scores' frame and the contrasts. Out: one row per contrast and

    mean of <tasks>     random-effects mean of the tasks' correlations (meta.py), with the interval
                        in which another task's would lie, and how much of the spread is no error
    <type> less <type>  difference of the types' mean Fisher's z
    types alike         whether all types' means may be one: Hotelling's T² of their differences

and the same for what the tuning mixture showed of the tasks (`exposure: …`), the moderator that
would explain a correlation by training on the test.

The same pairs stand behind every task. Leaving families out gives the joint covariance of the
tasks' z, but from G families only a rank of G - 1: its diagonal and its average correlation are
kept (statistics need the whole only for contrasts, which are jackknifed as such).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.data.points import Group, groups
from analysis.statistics.multilevel.meta_analysis import meta_analysis
from analysis.statistics.resampling.bca import correlations_of_counts, left_out
from analysis.statistics.resampling.jackknife import Jackknife
from analysis.tables.exposures import task_exposures
from study.config.analysis import Contrast

Floats = NDArray[np.float64]
COLUMNS = ["contrast", "summary", "n_tasks", "n_pairs", "n_families", "estimate", "low", "high",
           "p", "predicted_low", "predicted_high", "tau2", "i2", "scale", "method",
           "note"]  # fmt: skip
LEAST_TASKS = 3


def summaries(scores: pd.DataFrame, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Every summary of every contrast; what cannot be estimated says why."""
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        found = list(groups(scores, x_arm=contrast.x, y_arm=contrast.y))
        whole = found[0]
        of_type = {group.task_type: group.tasks for group in found if group.level == "type"}
        jackknife = by_task(whole)
        by = {"types": of_type, "exposures": _of_exposure(scores, whole.tasks)}
        for row in _rows(whole, by, jackknife):
            shared = {"n_pairs": len(whole.pairs), "n_families": whole.families.count}
            rows.append({"contrast": contrast.name, **shared, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def by_task(group: Group) -> Jackknife:
    """Fisher's z of every task across the group's pairs, and each without each family."""
    x, y, families = group.x.T, group.y.T, group.families
    whole = correlations_of_counts(x, y, families, np.ones((1, families.count)))[0]
    with np.errstate(divide="ignore"):
        z, without = np.arctanh(whole), np.arctanh(left_out(x, y, families))
    finite = np.where(np.isfinite(without), without, math.nan)
    return Jackknife(np.where(np.isfinite(z), z, math.nan), finite, families.names)


def shrunk(covariance: Floats) -> Floats:
    """The same variances, and their average correlation between all."""
    deviations = np.sqrt(np.diag(covariance))
    k = len(deviations)
    if k == 1:
        return covariance
    correlations = covariance / np.outer(deviations, deviations)
    mean = float((correlations.sum() - k) / (k * (k - 1)))
    mean = min(max(mean, 0.0), 0.99)
    made = np.full((k, k), mean)
    np.fill_diagonal(made, 1.0)
    return np.asarray(made * np.outer(deviations, deviations))


def _of_exposure(scores: pd.DataFrame, tasks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Tasks by what tuning showed of them; none where that is unknown or differs between pairs."""
    of = task_exposures(scores)
    names = sorted({str(of[task]) for task in tasks} - {""})
    return {f"exposure: {e}": tuple(task for task in tasks if of[task] == e) for e in names}


def _rows(
    whole: Group, by: dict[str, dict[str, tuple[str, ...]]], jackknife: Jackknife
) -> Iterator[dict[str, Any]]:
    place = {task: i for i, task in enumerate(whole.tasks)}
    everything = list(range(len(whole.tasks)))
    yield {"summary": "mean of all tasks", "n_tasks": len(everything),
           **_mean(jackknife, everything)}  # fmt: skip
    for kind, of in by.items():
        sets = {name: [place[t] for t in tasks if t in place] for name, tasks in of.items()}
        for name, tasks in sets.items():
            yield {"summary": f"mean of {name}", "n_tasks": len(tasks), **_mean(jackknife, tasks)}
        for one, other in combinations(sets, 2):
            both = len(sets[one]) + len(sets[other])
            found = _difference(jackknife, sets[one], sets[other])
            yield {"summary": f"{one} less {other}", "n_tasks": both, **found}
        if len(sets) > 1:
            yield {"summary": f"{kind} alike", "n_tasks": sum(map(len, sets.values())),
                   **alike(jackknife, list(sets.values()))}  # fmt: skip


def alike(jackknife: Jackknife, sets: list[list[int]]) -> dict[str, Any]:
    """Whether sets of tasks may have one mean z: F(q, G - q) of Hotelling's T² (1931) with
    the jackknife's covariance. By simulation (6 to 30 families, 2 to 4 differences) it rejects .036
    to .052 where .05 is meant."""
    usable = [tasks for of in sets if (tasks := _usable(jackknife, of))]
    q, families = len(usable) - 1, len(jackknife.families)
    if q < 1:
        return {"note": "not estimable: fewer than two of them have an estimable task"}
    if families - q < 2:
        why = f"not estimable: {families} families are too few for {q + 1} means"
        return {"note": why}

    def apart(z: Floats) -> Floats:
        means = np.stack([z[..., tasks].mean(-1) for tasks in usable], axis=-1)
        return np.asarray(means[..., 1:] - means[..., :1])

    found = Jackknife(apart(jackknife.estimates), apart(jackknife.replicates), jackknife.families)
    t2 = float(found.estimates @ np.linalg.pinv(found.covariance) @ found.estimates)
    f = (families - q) / (q * (families - 1)) * t2
    return {"estimate": f, "p": float(stats.f.sf(f, q, families - q)), "scale": "F",
            "method": f"Hotelling's T², family jackknife, F({q}, {families - q})",
            "note": ""}  # fmt: skip


def _usable(jackknife: Jackknife, tasks: list[int]) -> list[int]:
    fine = np.isfinite(jackknife.estimates) & np.isfinite(jackknife.replicates).all(0)
    return [task for task in tasks if fine[task]]


def _mean(jackknife: Jackknife, tasks: list[int]) -> dict[str, Any]:
    usable = _usable(jackknife, tasks)
    left = f"{len(tasks) - len(usable)} tasks are not estimable" if len(usable) < len(tasks) else ""
    if len(usable) < LEAST_TASKS:
        why = f"not estimable: {len(usable)} tasks, {LEAST_TASKS} are needed"
        return {"note": "; ".join(filter(None, (why, left)))}
    covariance = shrunk(jackknife.covariance[np.ix_(usable, usable)])
    found = meta_analysis(jackknife.estimates[usable], covariance)
    return {
        "estimate": math.tanh(found.coefficients[0]),
        "low": math.tanh(found.low[0]),
        "high": math.tanh(found.high[0]),
        "p": float(found.p[0]),
        "predicted_low": math.tanh(found.predicted_low),
        "predicted_high": math.tanh(found.predicted_high),
        "tau2": found.tau2,
        "i2": found.i2,
        "scale": "r",
        "method": "REML, Hartung-Knapp, family jackknife covariance of equal correlations",
        "note": left,
    }


def _difference(jackknife: Jackknife, one: list[int], other: list[int]) -> dict[str, Any]:
    one, other = _usable(jackknife, one), _usable(jackknife, other)
    if not one or not other:
        return {"note": "not estimable: a type has no estimable task"}

    def apart(z: Floats) -> Floats:
        return np.asarray(z[..., one].mean(-1) - z[..., other].mean(-1))

    contrast = Jackknife(
        np.atleast_1d(apart(jackknife.estimates)),
        apart(jackknife.replicates)[:, None],
        jackknife.families,
    )
    interval, p, note = contrast.interval()
    return {
        "estimate": float(contrast.estimates[0]), "low": interval.low, "high": interval.high,
        "p": p, "scale": "Fisher's z", "method": interval.method, "note": note,
    }  # fmt: skip
