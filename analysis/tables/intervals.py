"""Confidence intervals in addition to the default one: `tables/intervals.csv`.

In: the frame of scores, the contrasts, the kinds of intervals that the study requests
(`analysis.beside`). Out: one row per contrast, group of tasks and interval of Pearson's r across
pairs: the family jackknife's (the default, in all other tables), BCa over families (Efron 1987),
and Fisher's, which treats pairs as independent. In simulations with 6 to 15 families of
intra-family correlation .5, at a nominal .95, they cover .94 to .97, .88 to .93 and .86 to .91.
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
from analysis.statistics.interval import Interval, join_noise
from analysis.statistics.resampling.bca import METHOD as BCA
from analysis.statistics.resampling.bca import bca
from study.config.analysis import Contrast

COLUMNS = [
    "contrast",
    "level",
    "task_type",
    "task",
    "n_pairs",
    "n_families",
    "estimate",
    "low",
    "high",
    "method",
    "covers",
    "note",
]
SEED = 0
FISHER = "Fisher's z, pairs treated as independent"


def further_intervals(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], *, kinds: Sequence[str]
) -> pd.DataFrame:
    """Compute the table for `kinds`, of "bca" and "fisher"."""
    rows = [
        {"contrast": contrast.name, **row}
        for contrast in contrasts
        for group in groups(scores, x_arm=contrast.x, y_arm=contrast.y)
        if not group.problem
        for row in _rows(group, kinds)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(group: Group, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    default = correlate(group.x, group.y, group.families)
    r, pairs = default.estimate, len(group.pairs)
    intervals = [(default.interval, default.note)]
    if "bca" in kinds:
        interval = Interval(math.nan, math.nan, 0.95, BCA, default.interval.covers)
        if not math.isnan(r):
            x, y = group.x.mean(1), group.y.mean(1)
            interval = bca(x, y, group.families, rng=np.random.default_rng(SEED))
        note = "no interval: too few families" if math.isnan(interval.low) else ""
        intervals.append((interval, note))
    if "fisher" in kinds:
        defined = pairs > 3 and abs(r) < 1
        low, high = fisher_interval(r, pairs) if defined else (math.nan, math.nan)
        note = "" if defined else "no interval: four pairs are needed, and |r| below 1"
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
            "covers": join_noise(interval.covers),
            "note": note,
        }
