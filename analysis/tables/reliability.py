"""Reliability of scores and its variance components: `tables/reliability.csv`.

In: item scores. Out: one row per arm and task: the variance of mean scores over pairs, and how much
of it is due to the sampling of items (model by item), of demonstrations (model by draw), and of
both (statistics/disattenuation/error_variance.py). Draws and items that are hard or easy for all
models scatter none of them and do not count. Variances are those of mean scores, not normalised;
with one draw that of items includes the residual.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.items import AlignedItems, ItemScores
from analysis.statistics.disattenuation.error_variance import variance_components
from analysis.statistics.disattenuation.moments import error_covariance

COLUMNS = [
    "arm",
    "task",
    "n_pairs",
    "n_draws",
    "n_items",
    "n_clusters",
    "variance",
    "of_items",
    "of_draws",
    "of_both",
    "reliability",
    "note",
]
MIN_PAIRS = 3


def reliabilities(items: ItemScores) -> pd.DataFrame:
    """Compute the table; where something cannot be estimated the note says why."""
    rows = [
        {"arm": arm, "task": task, **_row(scores, items.clusters(task, scores.items))}
        for (arm, task), scores in sorted(items.by_arm_and_task.items())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(task_items: AlignedItems, clusters: NDArray[np.int64]) -> dict[str, Any]:
    pairs, draws, n_items = task_items.scores.shape
    counts = {
        "n_pairs": pairs,
        "n_draws": draws,
        "n_items": n_items,
        "n_clusters": len(np.unique(clusters)),
    }
    if pairs < MIN_PAIRS or counts["n_clusters"] < 2:
        return {**counts, "note": f"not estimable: {pairs} pairs, {counts['n_clusters']} clusters"}
    variance = float(task_items.scores.mean((1, 2)).var(ddof=1))
    components = variance_components(task_items.scores)
    means = task_items.scores.mean(1)
    # Clustered, and including the residual, since these are means over draws.
    item_variance = float(error_covariance(means, means, clusters=clusters)[0, 0])
    residual_variance = components.residual / (n_items * draws)
    draw_variance = components.model_draw / draws if draws > 1 else math.nan
    error = item_variance + (draw_variance if draws > 1 else 0.0)
    notes = [
        "" if variance > 0 else "not estimable: all pairs have the same score",
        "" if draws > 1 else "one draw: the variance of draws is unknown",
    ]
    return {
        **counts,
        "variance": variance,
        "of_items": item_variance - residual_variance,
        "of_draws": draw_variance,
        "of_both": residual_variance if draws > 1 else math.nan,
        "reliability": 1 - error / variance if variance > 0 else math.nan,
        "note": "; ".join(filter(None, notes)),
    }
