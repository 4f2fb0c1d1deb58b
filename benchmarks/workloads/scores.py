"""Generated scores and item scores of several pairs, tasks and arms.

In: a generator, numbers of pairs, families, tasks and items. Out: a frame as `load_scores` returns
it, item scores as `load_items` returns them, and the families.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.data.items import AlignedItems, ItemScores
from analysis.statistics.families import Families
from analysis.statistics.items.clustered_errors import standard_error
from study.results.schema import SCORES


def generate_scores(
    rng: np.random.Generator,
    *,
    arms: tuple[str, ...],
    pairs: int,
    families: int,
    tasks: int,
    items: int,
) -> tuple[pd.DataFrame, ItemScores, Families]:
    """Scores around an ability of each pair that all arms and tasks share."""
    ability = rng.normal(0.6, 0.1, pairs)
    labels = [f"f{i}" for i in rng.integers(0, families, pairs)]
    names = tuple(f"p{i}" for i in range(pairs))
    rows, arrays = [], {}
    for task in range(tasks):
        for arm in arms:
            probability = np.clip(ability + rng.normal(0, 0.05, pairs), 0.05, 0.95)
            correct = (rng.random((pairs, 1, items)) < probability[:, None, None]).astype(float)
            arrays[arm, f"t{task}"] = AlignedItems(names, np.arange(items), correct)
            for i, name in enumerate(names):
                rows.append(
                    {
                        "pair": name,
                        "family": labels[i],
                        "params_b": 1.0 + i % 8,
                        "model": arm,
                        "role": arm.split("-")[0],
                        "arm": arm,
                        "task": f"t{task}",
                        "task_type": f"type{task % 5}",
                        "exposure": "",
                        "draw": None,
                        "score": correct[i].mean(),
                        "stderr": standard_error(correct[i, 0]),
                        "n_items": items,
                        "chance": 0.25,
                        "metric": "acc",
                        "source": "generated",
                    }
                )
    frame = pd.DataFrame(rows)[list(SCORES)].astype(SCORES)
    return frame, ItemScores(arrays), Families.of(labels)
