"""Agreement of tuned models and their bases, item by item: `tables/agreement.csv`.

In: the frame of scores, the contrasts, item scores. Out: one row per contrast, group of tasks and
quantity, over all pairs of the group:

    base_given_tuned   of the items that the tuned model solves, the share that its base solves
                       (arm x)
    tuned_given_base   the reverse
    gained, lost       share of all items that only the tuned model, or only its base, solves
    tuned_less_base    difference of the two accuracies, tested on the same items
    kappa              error consistency, mean over pairs and draws where it is defined
    kappa_least, kappa_most   smallest and largest kappa that the accuracies allow
    same_wrong         of the items that both get wrong, the share with the same answer
    only_tuned         share of all items that the tuned model solves and its base in none of its
                       arms and draws

Groups are all tasks, each type, and each exposure, of the tasks whose exposure is the same for all
pairs. Tasks have equal weight. Intervals resample items (whole passages), the same for all pairs,
within tasks: they cover items and describe these pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.items import ItemScores
from analysis.data.paired_tasks import paired_tasks
from analysis.data.points import contrast_points
from analysis.distributions import t_quantile, t_tail
from analysis.statistics.interval import join_noise
from analysis.statistics.items.paired_items import SUMS, PairedItems
from analysis.tables.exposures import task_exposures
from study.config.analysis import Contrast

Floats = NDArray[np.float64]
COLUMNS = [
    "contrast",
    "group",
    "n_pairs",
    "n_tasks",
    "n_items",
    "n_clusters",
    "quantity",
    "estimate",
    "low",
    "high",
    "p",
    "covers",
    "note",
]
DRAWS, SEED = 2_000, 0


def item_agreement(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], items: ItemScores
) -> pd.DataFrame:
    """Compute the table; tasks without right-or-wrong item scores in both arms are skipped."""
    rows: list[dict[str, Any]] = []
    exposures = task_exposures(scores)
    points = [contrast_points(scores, x_arm=c.x, y_arm=c.y, level="task") for c in contrasts]
    compared = paired_tasks(contrasts, points, scores, items, draws=DRAWS, seed=SEED)
    for contrast, points_of_contrast, tasks in zip(contrasts, points, compared, strict=True):
        types = points_of_contrast.drop_duplicates("task").set_index("task")["task_type"]
        for group, names in _groups(list(tasks), types, exposures):
            shared = {"contrast": contrast.name, "group": group}
            rows += [{**shared, **row} for row in _rows([tasks[name] for name in names])]
    return pd.DataFrame(rows, columns=COLUMNS)


def _groups(
    tasks: list[str], types: pd.Series, exposures: pd.Series
) -> Iterator[tuple[str, list[str]]]:
    if tasks:
        yield "all tasks", tasks
    for label, by_task in (("", types), ("exposure: ", exposures)):
        values = sorted({str(by_task[task]) for task in tasks} - {""})
        for value in values:
            yield f"{label}{value}", [task for task in tasks if by_task[task] == value]


def _rows(tasks: list[PairedItems]) -> Iterator[dict[str, Any]]:
    shared = {
        "n_pairs": max(task.pairs for task in tasks),
        "n_tasks": len(tasks),
        "n_items": sum(task.items for task in tasks),
        "n_clusters": sum(task.clusters for task in tasks),
        "covers": join_noise(["items"]),
    }
    for quantity, values in _shares(tasks).items():
        note = "" if math.isfinite(values[0]) else "undefined: no such item"
        if quantity == "same_wrong" and not any(task.choices_known for task in tasks):
            note = "unknown: answers are not recorded"
        yield {**shared, "quantity": quantity, **_percentiles(values), "note": note}
    yield {**shared, "quantity": "kappa", **_kappa(tasks)}
    for bound in ("kappa_least", "kappa_most"):
        bounds = [value for task in tasks if math.isfinite(value := getattr(task, bound))]
        yield {
            **shared,
            "quantity": bound,
            "estimate": float(np.mean(bounds)) if bounds else math.nan,
            "covers": "",
            "note": "" if bounds else "undefined",
        }
    yield {**shared, "quantity": "tuned_less_base", **_difference(tasks)}


def _shares(tasks: list[PairedItems]) -> dict[str, Floats]:
    """Shares of items [1 + draws], the first of the items as they are."""
    sums = dict(zip(SUMS, np.stack([task.sums for task in tasks]).sum(0).T, strict=True))
    known = [task.sums for task in tasks if task.choices_known]
    wrong = dict(zip(SUMS, np.sum(known, axis=0).T, strict=True)) if known else {}
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "base_given_tuned": sums["both"] / sums["tuned"],
            "tuned_given_base": sums["both"] / sums["base"],
            "gained": (sums["tuned"] - sums["both"]) / sums["n"],
            "lost": (sums["base"] - sums["both"]) / sums["n"],
            "only_tuned": sums["only"] / sums["n"],
            "same_wrong": wrong["same_wrong"] / wrong["wrong"]
            if known
            else np.full(1 + DRAWS, math.nan),
        }


def _percentiles(values: Floats) -> dict[str, float]:
    """Estimate and percentile interval, which is nan where half of the resamples are undefined."""
    resampled = values[1:][np.isfinite(values[1:])]
    low = high = math.nan
    if math.isfinite(values[0]) and 2 * len(resampled) > len(values):
        low, high = (float(end) for end in np.quantile(resampled, (0.025, 0.975)))
    return {"estimate": float(values[0]), "low": low, "high": high}


def _kappa(tasks: list[PairedItems]) -> dict[str, Any]:
    usable = [task for task in tasks if math.isfinite(task.kappa[0])]
    undefined = sum(task.undefined for task in tasks)
    compared = sum(task.compared for task in tasks)
    note = f"undefined for {undefined} of {compared}" if undefined else ""
    if not usable:
        return {"estimate": math.nan, "low": math.nan, "high": math.nan, "note": note}
    return {**_percentiles(np.mean([task.kappa for task in usable], axis=0)), "note": note}


def _difference(tasks: list[PairedItems]) -> dict[str, Any]:
    """t test with the tasks' clustered errors; degrees of freedom after Satterthwaite (1946)."""
    estimate = float(np.mean([task.difference for task in tasks]))
    variances = np.array([task.difference_error for task in tasks]) ** 2
    if not np.isfinite(variances).all() or not (variances > 0).any():
        return {"estimate": estimate, "note": "no interval: one cluster of items, or no difference"}
    task_dfs = np.array([task.clusters - 1 for task in tasks])
    error = math.sqrt(float(variances.sum())) / len(tasks)
    df = float(variances.sum()) ** 2 / float((variances**2 / task_dfs).sum())
    reach = float(t_quantile(0.975, df)) * error
    return {
        "estimate": estimate,
        "low": estimate - reach,
        "high": estimate + reach,
        "p": 2 * float(t_tail(abs(estimate) / error, df)),
        "note": "",
    }
