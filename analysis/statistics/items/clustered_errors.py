"""Standard errors of mean scores over items, also over items that come in clusters.

In: item scores. Out: standard errors. Items that share a passage or a template are sampled
together, and two models on the same items are compared item by item (Miller 2024,
arXiv 2411.00640).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def standard_error(
    scores: ArrayLike, *, clusters: ArrayLike | None = None, few_clusters: bool = True
) -> float:
    """Standard error of the mean of item scores [n]: sd/√n, or clustered,

        SE² = Σ_c (Σ_{i∈c} (s_i - s̄))² / n²,

    times G/(G-1) with `few_clusters`.

    `clusters` [n] holds a label for each item. Returns nan with fewer than two items or clusters.
    """
    s = np.asarray(scores, dtype=float)
    if clusters is None:
        return float(s.std(ddof=1) / math.sqrt(len(s))) if len(s) > 1 else math.nan
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    groups = int(codes.max()) + 1
    if groups < 2:
        return math.nan
    sums = np.bincount(codes, weights=s - s.mean())
    correction = groups / (groups - 1) if few_clusters else 1.0
    return math.sqrt(correction * float(sums @ sums)) / len(s)


def paired_standard_error(
    a: ArrayLike, b: ArrayLike, *, clusters: ArrayLike | None = None
) -> float:
    """Standard error of the difference of two mean scores over the same items [n]."""
    return standard_error(np.asarray(a, float) - np.asarray(b, float), clusters=clusters)
