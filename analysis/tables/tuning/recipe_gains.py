"""Gains of one recipe over another: `tables/recipe_gains.csv`.

In: the frame of scores, the table of tuned models, and the comparisons that the study declares (an
axis and its baseline). Out: one row per comparison, value of the axis, mixture, arm, task type (or
all) and scale. Each model is compared with the one that differs in that axis alone (same base, seed
and everything else); tasks have equal weight.

    absolute    difference of the scores
    log_odds    difference of their log-odds, with half an item added to right and wrong answers
    relative    difference over the baseline's score, both means over all models: a ratio that a
                small denominator inflates, hence always reported with the other two

Intervals are those of the family jackknife, over the families of the bases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.families import Families
from analysis.statistics.interval import join_noise
from analysis.statistics.resampling.jackknife import family_jackknife
from analysis.tables.tuning.tuned_models import AXES
from study.config.analysis import Comparison

Floats = NDArray[np.float64]
COLUMNS = [
    "axis",
    "value",
    "baseline",
    "mixture",
    "arm",
    "task_type",
    "scale",
    "n_models",
    "n_families",
    "n_tasks",
    "baseline_score",
    "estimate",
    "low",
    "high",
    "p",
    "covers",
    "note",
]
SCALES = ("absolute", "log_odds", "relative")


def recipe_gains(
    scores: pd.DataFrame, tuning: pd.DataFrame, comparisons: Sequence[Comparison]
) -> pd.DataFrame:
    """Compute the table; rows over all mixtures have an empty mixture."""
    tuned = scores[scores["role"] == "tuned"]
    tuned = tuned.merge(tuning[["pair", "base", "grid", *AXES]], on="pair")
    means = tuned.groupby(
        ["base", "family", "grid", *AXES, "arm", "task", "task_type"], as_index=False
    ).agg(score=("score", "mean"), n_items=("n_items", "first"))
    rows: list[dict[str, Any]] = []
    for comparison in comparisons:
        axis, baseline = comparison.axis, comparison.baseline
        compared = _with_baseline(means, axis, baseline)
        for value, rows_of_value in compared.groupby("value", sort=True):
            for mixture in ("", *sorted(rows_of_value["mixture"].unique())):
                of_mixture = rows_of_value["mixture"] == mixture
                part = rows_of_value[of_mixture] if mixture else rows_of_value
                shared = {"axis": axis, "value": value, "baseline": baseline, "mixture": mixture}
                rows += [{**shared, **row} for row in _by_arm_and_type(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _with_baseline(means: pd.DataFrame, axis: str, baseline: str) -> pd.DataFrame:
    """Each model's task score with that of its baseline: columns value, score, other, n_items."""
    other_axes = [name for name in AXES if name != axis]
    keys = ["base", "family", "grid", *other_axes, "arm", "task", "task_type"]
    value = means[axis].astype(str)
    baselines = means[value == baseline].drop(columns=[axis, "n_items"])
    models = means[value != baseline].rename(columns={axis: "value"})
    compared = models.merge(baselines.rename(columns={"score": "other"}), on=keys)
    return compared if "mixture" in compared else compared.assign(mixture="")


def _by_arm_and_type(part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for arm, rows_of_arm in part.groupby("arm", sort=True):
        for task_type in ("", *sorted(rows_of_arm["task_type"].unique())):
            of_type = rows_of_arm["task_type"] == task_type
            for row in _rows(rows_of_arm[of_type] if task_type else rows_of_arm):
                yield {"arm": arm, "task_type": task_type, **row}


def _rows(compared: pd.DataFrame) -> Iterator[dict[str, Any]]:
    families = Families.of(list(compared["family"]))
    score, other = compared["score"].to_numpy(float), compared["other"].to_numpy(float)
    items = compared["n_items"].to_numpy(float)
    odds = _log_odds(score, items) - _log_odds(other, items)

    def statistic(selected: NDArray[np.bool_]) -> Floats:
        if not selected.any():
            return np.full(len(SCALES), math.nan)
        baseline = other[selected].mean()
        gain = score[selected].mean() - baseline
        return np.array([gain, odds[selected].mean(), gain / baseline if baseline else math.nan])

    jackknife = family_jackknife(statistic, families)
    axes = [axis for axis in AXES if axis in compared]
    for i, scale in enumerate(SCALES):
        interval, p, note = jackknife.interval(i)
        yield {
            "scale": scale,
            "n_models": len(compared.drop_duplicates(["base", *axes])),
            "n_families": families.count,
            "n_tasks": compared["task"].nunique(),
            "baseline_score": float(other.mean()),
            "estimate": float(jackknife.estimates[i]),
            "low": interval.low,
            "high": interval.high,
            "p": p,
            "covers": join_noise(["items", "draws", "seeds", "families"]),
            "note": note,
        }


def _log_odds(score: Floats, items: Floats) -> Floats:
    """Log-odds of shares of so many items; finite at 0 and 1 (Haldane 1955)."""
    return np.asarray(np.log((score * items + 0.5) / ((1 - score) * items + 0.5)))
