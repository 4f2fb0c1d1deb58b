"""What one choice in a recipe gains over another: `tables/recipe_gains.csv`.

In: scores, the tuned models' recipes, comparisons that the study declares (an axis and its
baseline). Out: one row per comparison, value of the axis, mixture, arm, task type (or all), and
scale. Each model is set against the one that differs in that axis alone (same base, seed and all
else); tasks count alike.

    absolute    the difference of the scores
    log_odds    the difference of their log-odds, each with half an item added to right and wrong
    relative    the difference over the baseline's score, of the means of all models: a ratio that a
                small denominator makes large, which is why it never stands alone here

Intervals leave out one family of bases at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.families import Families
from analysis.statistics.resampling.jackknife import family_jackknife
from analysis.tables.tuning.tuned_models import AXES
from study.config.analysis import Comparison

COLUMNS = ["axis", "value", "baseline", "mixture", "arm", "task_type", "scale", "n_models",
           "n_families", "n_tasks", "baseline_score", "estimate", "low", "high", "p", "covers",
           "note"]  # fmt: skip
SCALES = ("absolute", "log_odds", "relative")


def recipe_gains(
    scores: pd.DataFrame, tuned: pd.DataFrame, comparisons: Sequence[Comparison]
) -> pd.DataFrame:
    """All rows; those over all mixtures have none named."""
    own = scores[scores["role"] == "tuned"].merge(tuned[["pair", "base", "grid", *AXES]], on="pair")
    means = own.groupby(
        ["base", "family", "grid", *AXES, "arm", "task", "task_type"], as_index=False
    ).agg(score=("score", "mean"), n_items=("n_items", "first"))
    rows: list[dict[str, Any]] = []
    for comparison in comparisons:
        axis, baseline = comparison.axis, comparison.baseline
        both = _beside(means, axis, baseline)
        for value, of_value in both.groupby("value", sort=True):
            for mixture in ("", *sorted(of_value["mixture"].unique())):
                part = of_value if mixture == "" else of_value[of_value["mixture"] == mixture]
                about = {"axis": axis, "value": value, "baseline": baseline, "mixture": mixture}
                rows += [{**about, **row} for row in _by_arm_and_type(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _beside(means: pd.DataFrame, axis: str, baseline: str) -> pd.DataFrame:
    """Each model's task score beside its baseline's: columns value, score, other, n_items."""
    others = [name for name in AXES if name != axis]
    keys = ["base", "family", "grid", *others, "arm", "task", "task_type"]
    value = means[axis].astype(str)
    base = means[value == baseline].drop(columns=[axis, "n_items"])
    rest = means[value != baseline].rename(columns={axis: "value"})
    found = rest.merge(base.rename(columns={"score": "other"}), on=keys)
    return found if "mixture" in found else found.assign(mixture="")


def _by_arm_and_type(part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for arm, of_arm in part.groupby("arm", sort=True):
        for task_type in ("", *sorted(of_arm["task_type"].unique())):
            own = of_arm if task_type == "" else of_arm[of_arm["task_type"] == task_type]
            for row in _rows(own):
                yield {"arm": arm, "task_type": task_type, **row}


def _rows(own: pd.DataFrame) -> Iterator[dict[str, Any]]:
    families = Families.of(list(own["family"]))
    score, other = own["score"].to_numpy(float), own["other"].to_numpy(float)
    items = own["n_items"].to_numpy(float)
    odds = _log_odds(score, items) - _log_odds(other, items)

    def statistic(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        if not chosen.any():
            return np.full(len(SCALES), math.nan)
        before = other[chosen].mean()
        gain = score[chosen].mean() - before
        return np.array([gain, odds[chosen].mean(), gain / before if before else math.nan])

    jackknife = family_jackknife(statistic, families)
    for which, scale in enumerate(SCALES):
        interval, p, note = jackknife.interval(which)
        yield {
            "scale": scale,
            "n_models": len(own.drop_duplicates(["base", *_known(own)])),
            "n_families": families.count,
            "n_tasks": own["task"].nunique(),
            "baseline_score": float(other.mean()),
            "estimate": float(jackknife.estimates[which]),
            "low": interval.low,
            "high": interval.high,
            "p": p,
            "covers": "items, draws, seeds, families",
            "note": note,
        }


def _known(own: pd.DataFrame) -> list[str]:
    return [axis for axis in AXES if axis in own]


def _log_odds(score: NDArray[np.float64], items: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of shares of so many items; finite at none and at all right (Haldane 1955)."""
    return np.asarray(np.log((score * items + 0.5) / ((1 - score) * items + 0.5)))
