"""What the tuned models solve against what their bases solve: `tables/agreement.csv`.

In: the scores' frame, the contrasts, item scores. Out: one row per contrast, group of tasks and
quantity, over all pairs of the group:

    base_given_tuned   of the items that the tuned model solves, the share its base solves (arm x)
    tuned_given_base   the reverse
    gained, lost       of all items, those that only one of the two solves
    tuned_less_base    the difference of the two accuracies, tested on the same items
    kappa              error consistency, the mean over pairs and draws where it is defined
    kappa_least, kappa_most   what the accuracies allow it to be
    same_wrong         of the items that both get wrong, the share with the same answer
    only_tuned         of all items, those that the tuned model solves and its base in none of its
                       arms and draws

Groups are all tasks, each type, and each exposure of the tuning mixture, of tasks for which it is
one for all pairs. Tasks count alike. Intervals draw items anew (passages whole), the same for all
pairs, within their tasks: they cover items, and speak of these pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.data.items import ItemScores
from analysis.data.points import contrast_points
from analysis.statistics.items.paired_items import SUMS, PairedItems, paired_items
from analysis.tables.exposures import task_exposures
from study.config.analysis import Contrast

Floats = NDArray[np.float64]
COLUMNS = ["contrast", "group", "n_pairs", "n_tasks", "n_items", "n_clusters", "quantity",
           "estimate", "low", "high", "p", "covers", "note"]  # fmt: skip
DRAWS, SEED = 2_000, 0


def overlap(scores: pd.DataFrame, contrasts: Sequence[Contrast], items: ItemScores) -> pd.DataFrame:
    """All rows; none for contrasts and tasks whose items are not right or wrong on both sides."""
    rows: list[dict[str, Any]] = []
    exposures = task_exposures(scores)
    for contrast in contrasts:
        points = contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task")
        rng = np.random.default_rng(SEED)
        tasks = {
            str(task): found
            for task, own in points.groupby("task", sort=True)
            if (found := _task(contrast, str(task), list(own["pair"]), scores, items, rng))
        }
        types = points.drop_duplicates("task").set_index("task")["task_type"]
        for group, names in _groups(list(tasks), types, exposures):
            about = {"contrast": contrast.name, "group": group}
            rows += [{**about, **row} for row in _rows([tasks[name] for name in names])]
    return pd.DataFrame(rows, columns=COLUMNS)


def _groups(
    tasks: list[str], types: pd.Series, exposures: pd.Series
) -> Iterator[tuple[str, list[str]]]:
    if tasks:
        yield "all tasks", tasks
    for label, of in (("", types), ("exposure: ", exposures)):
        values = sorted({str(of[task]) for task in tasks} - {""})
        for value in values:
            yield f"{label}{value}", [task for task in tasks if of[task] == value]


def _task(
    contrast: Contrast,
    task: str,
    pairs: list[str],
    scores: pd.DataFrame,
    items: ItemScores,
    rng: np.random.Generator,
) -> PairedItems | None:
    both = items.both(contrast.x, contrast.y, task, pairs)
    if both is None or not all(np.isin(side.scores, (0.0, 1.0)).all() for side in both):
        return None
    x, y = both
    role = contrast.x.split("-")[0]
    arms = sorted(scores.loc[(scores["role"] == role) & (scores["task"] == task), "arm"].unique())
    ways = [found for arm in arms if (found := items.both(arm, contrast.y, task, pairs))]
    clusters = items.clusters(task, x.items)
    return paired_items(x, y, [way.scores for way, _ in ways], clusters, draws=DRAWS, rng=rng)


def _rows(tasks: list[PairedItems]) -> Iterator[dict[str, Any]]:
    shared = {
        "n_pairs": max(task.pairs for task in tasks),
        "n_tasks": len(tasks),
        "n_items": sum(task.items for task in tasks),
        "n_clusters": sum(task.clusters for task in tasks),
        "covers": "items",
    }
    of = dict(zip(SUMS, np.stack([task.sums for task in tasks]).sum(0).T, strict=True))
    told = [task for task in tasks if task.choices_known]
    wrong = dict(zip(SUMS, np.sum([t.sums for t in told], axis=0).T, strict=True)) if told else {}
    nothing = np.full(1 + DRAWS, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "base_given_tuned": of["both"] / of["tuned"],
            "tuned_given_base": of["both"] / of["base"],
            "gained": (of["tuned"] - of["both"]) / of["n"],
            "lost": (of["base"] - of["both"]) / of["n"],
            "only_tuned": of["only"] / of["n"],
            "same_wrong": wrong["same_wrong"] / wrong["wrong"] if told else nothing,
        }
    for quantity, values in found.items():
        note = "" if math.isfinite(values[0]) else "undefined: no such item"
        if quantity == "same_wrong" and not told:
            note = "unknown: what was answered is not recorded"
        yield {**shared, "quantity": quantity, **_ends(values), "note": note}
    yield {**shared, "quantity": "kappa", **_kappa(tasks)}
    for bound in ("kappa_least", "kappa_most"):
        ends = [end for task in tasks if math.isfinite(end := getattr(task, bound))]
        estimate = float(np.mean(ends)) if ends else math.nan
        yield {**shared, "quantity": bound, "estimate": estimate, "covers": "",
               "note": "" if ends else "undefined"}  # fmt: skip
    yield {**shared, "quantity": "tuned_less_base", **_difference(tasks)}


def _ends(values: Floats) -> dict[str, float]:
    """The estimate and a percentile interval; the latter is none where most draws have no value."""
    drawn = values[1:][np.isfinite(values[1:])]
    low = high = math.nan
    if math.isfinite(values[0]) and 2 * len(drawn) > len(values):
        low, high = (float(end) for end in np.quantile(drawn, (0.025, 0.975)))
    return {"estimate": float(values[0]), "low": low, "high": high}


def _kappa(tasks: list[PairedItems]) -> dict[str, Any]:
    usable = [task for task in tasks if math.isfinite(task.kappa[0])]
    undefined = sum(task.undefined for task in tasks)
    compared = sum(task.compared for task in tasks)
    note = f"undefined for {undefined} of {compared}" if undefined else ""
    if not usable:
        return {"estimate": math.nan, "low": math.nan, "high": math.nan, "note": note}
    return {**_ends(np.mean([task.kappa for task in usable], axis=0)), "note": note}


def _difference(tasks: list[PairedItems]) -> dict[str, Any]:
    """t test with the tasks' clustered errors; degrees of freedom after Satterthwaite (1946)."""
    estimate = float(np.mean([task.difference for task in tasks]))
    variances = np.array([task.difference_error for task in tasks]) ** 2
    if not np.isfinite(variances).all() or not (variances > 0).any():
        return {"estimate": estimate, "note": "no interval: one cluster of items, or no difference"}
    free = np.array([task.clusters - 1 for task in tasks])
    error = math.sqrt(float(variances.sum())) / len(tasks)
    df = float(variances.sum()) ** 2 / float((variances**2 / free).sum())
    reach = float(stats.t.ppf(0.975, df)) * error
    return {"estimate": estimate, "low": estimate - reach, "high": estimate + reach,
            "p": 2 * float(stats.t.sf(abs(estimate) / error, df)), "note": ""}  # fmt: skip


def overlap_text(frame: pd.DataFrame) -> str:
    """For the terminal: the first contrast's groups."""
    if frame.empty:
        return ""
    contrast = frame["contrast"].iloc[0]
    lines = [f"{contrast}, item by item: of what tuned models solve, their bases solve …"]
    wide = frame[frame["contrast"] == contrast].set_index(["group", "quantity"])
    for group in wide.index.get_level_values(0).unique():
        row = wide.loc[(group, "base_given_tuned")]
        only = wide.loc[(group, "only_tuned"), "estimate"]
        kappa = wide.loc[(group, "kappa"), "estimate"]
        lines.append(
            f"  {group:<24}{100 * row['estimate']:>4.0f} % [{100 * row['low']:.0f}, "
            f"{100 * row['high']:.0f}]   in no way {100 * only:>3.0f} % of all items   "
            f"κ {kappa:.2f}"
        )
    return "\n".join([*lines, ""])
