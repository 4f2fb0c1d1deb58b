"""Both arms of each contrast on each task, compared item by item.

In: the contrasts and their points, the frame of scores, item scores. Out: `PairedItems` by contrast
and task, from which tables/agreement.csv is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.items import AlignedItems, ItemScores
from analysis.statistics.items.paired_items import PairedItems, paired_items
from analysis.statistics.resampling.shared_resamples import Resample, SharedResamples
from study.config.analysis import Contrast


def paired_tasks(
    contrasts: Sequence[Contrast],
    points: Sequence[pd.DataFrame],
    scores: pd.DataFrame,
    items: ItemScores,
    *,
    draws: int,
    seed: int,
) -> list[dict[str, PairedItems]]:
    """Compare both arms of each contrast, task by task; one mapping by task for each contrast.

    `points` are those of each contrast; `draws` resamples of items are drawn. Tasks without
    right-or-wrong item scores in both arms are left out.
    """
    shared = SharedResamples(draws, seed)
    resamples = [shared.sequence() for _ in contrasts]
    compared: list[dict[str, PairedItems]] = [{} for _ in contrasts]
    # Contrasts take turns, so that they share what they draw.
    for task in sorted({str(task) for frame in points for task in frame["task"]}):
        for i, contrast in enumerate(contrasts):
            pairs = list(points[i].loc[points[i]["task"] == task, "pair"])
            if pairs and (
                paired := _paired_task(contrast, task, pairs, scores, items, resamples[i])
            ):
                compared[i][task] = paired
    return compared


def _paired_task(
    contrast: Contrast,
    task: str,
    pairs: list[str],
    scores: pd.DataFrame,
    items: ItemScores,
    resample: Resample,
) -> PairedItems | None:
    """Compare both arms on one task; None without scores of 0 or 1 on the same items."""
    both = items.both(contrast.x, contrast.y, task, pairs)
    if both is None or not all(np.isin(side.scores, (0.0, 1.0)).all() for side in both):
        return None
    x, y = both
    role = scores.loc[scores["arm"] == contrast.x, "role"].iloc[0]
    arms = sorted(scores.loc[(scores["role"] == role) & (scores["task"] == task), "arm"].unique())
    attempts = [sides[0] for arm in arms if (sides := items.both(arm, contrast.y, task, pairs))]
    return paired_items(
        x.scores,
        y.scores,
        [attempt.scores for attempt in attempts],
        items.clusters(task, x.items),
        choices=_choices(x, y),
        resample=resample,
    )


def _choices(
    x: AlignedItems, y: AlignedItems
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    return None if x.choices is None or y.choices is None else (x.choices, y.choices)
