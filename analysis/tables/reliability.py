"""What scores are made of: `tables/reliability.csv`.

In: item scores. Out: a row per arm and task: how much pairs differ, and how much of that is the
items that happened to be asked (model by item), the demonstrations that happened to be drawn (model
by draw), and both together with chance (errors.py). Draws and items that are hard or easy for all
models scatter none of them and are no part of it. Variances are those of the mean score, not
normalised by chance; with one draw those of items hold the rest too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.items import Answers, ItemScores
from analysis.statistics.disattenuation.error_variance import components
from analysis.statistics.disattenuation.moments import error_covariance

COLUMNS = ["arm", "task", "n_pairs", "n_draws", "n_items", "n_clusters", "variance", "of_items",
           "of_draws", "of_both", "reliability", "note"]  # fmt: skip
LEAST_PAIRS = 3


def reliabilities(items: ItemScores) -> pd.DataFrame:
    """All rows, tasks in alphabetical order; what cannot be estimated says why."""
    rows = [
        {"arm": arm, "task": task, **_row(own, items.clusters(task, own.items))}
        for (arm, task), own in sorted(items.answers.items())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(own: Answers, clusters: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    pairs, draws, number = own.scores.shape
    about = {"n_pairs": pairs, "n_draws": draws, "n_items": number,
             "n_clusters": len(np.unique(clusters))}  # fmt: skip
    if pairs < LEAST_PAIRS or about["n_clusters"] < 2:
        return {**about, "note": f"not estimable: {pairs} pairs, {about['n_clusters']} clusters"}
    variance = float(own.scores.mean((1, 2)).var(ddof=1))
    parts = components(own.scores)
    means = own.scores.mean(1)
    # Over clusters, and with the residual in it, as a mean over draws has it.
    of_items = float(error_covariance(means, means, clusters=clusters)[0, 0])
    of_both = parts.residual / (number * draws)
    of_draws = parts.model_draw / draws if draws > 1 else math.nan
    error = of_items + (of_draws if draws > 1 else 0.0)
    reliability = 1 - error / variance if variance > 0 else math.nan
    notes = ["" if variance > 0 else "not estimable: all pairs score alike",
             "" if draws > 1 else "one draw: what draws add is unknown"]  # fmt: skip
    return {**about, "variance": variance, "of_items": of_items - of_both, "of_draws": of_draws,
            "of_both": of_both if draws > 1 else math.nan, "reliability": reliability,
            "note": "; ".join(filter(None, notes))}  # fmt: skip
