"""Further intervals, beside the default one: `tables/intervals.csv`, where the study asks for them.

In: the scores' frame, the contrasts, which intervals. Out: a row per contrast, group of tasks and
interval of Pearson's r across pairs: the family jackknife's (the default, in every other table),
BCa over families (Efron 1987), and Fisher's, which takes pairs for independent. By simulation with
6 to 15 families of intra-family correlation .5 they cover .94 to .97, .88 to .93 and .86 to .91
where .95 is meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.points import Group, groups
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.dependent import fisher_interval
from analysis.statistics.interval import Interval
from analysis.statistics.resampling.bca import bca
from study.config.analysis import Contrast

COLUMNS = ["contrast", "level", "task_type", "task", "n_pairs", "n_families", "estimate", "low",
           "high", "method", "covers", "note"]  # fmt: skip
SEED = 0
FISHER = "Fisher's z, pairs taken for independent"


def intervals_beside(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], *, kinds: Sequence[str]
) -> pd.DataFrame:
    """`kinds`: of `bca` and `fisher`; what cannot be estimated says why."""
    rows = [
        {"contrast": contrast.name, **row}
        for contrast in contrasts
        for group in groups(scores, x_arm=contrast.x, y_arm=contrast.y)
        for row in _rows(group, kinds)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(group: Group, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    found = correlate(group.x, group.y, group.families)
    r, pairs = found.estimate, len(group.pairs)
    intervals = [(found.interval, found.note)]
    if "bca" in kinds:
        x, y = group.x.mean(1), group.y.mean(1)
        made = Interval(math.nan, math.nan, 0.95, "BCa over families", found.interval.covers)
        if not math.isnan(r):
            made = bca(x, y, group.families, rng=np.random.default_rng(SEED))
        intervals.append((made, "no interval: too few families" if math.isnan(made.low) else ""))
    if "fisher" in kinds:
        fine = pairs > 3 and abs(r) < 1
        low, high = fisher_interval(r, pairs) if fine else (math.nan, math.nan)
        note = "" if fine else "no interval: four pairs are needed, and |r| below 1"
        intervals.append((Interval(low, high, 0.95, FISHER, ("items", "draws")), note))
    for interval, note in intervals:
        yield {
            "level": group.level,
            "task_type": group.task_type,
            "task": group.task,
            "n_pairs": pairs,
            "n_families": group.families.count,
            "estimate": r,
            "low": interval.low,
            "high": interval.high,
            "method": interval.method,
            "covers": "+".join(interval.covers),
            "note": note,
        }
