"""Correlation coefficients of two arrays: Pearson's r, Spearman's ρ and Kendall's τ_b.

In: two arrays of equal length. Out: a float, nan where the coefficient is undefined.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Coefficient = Literal["pearson", "spearman", "kendall"]

COEFFICIENTS: tuple[Coefficient, ...] = ("pearson", "spearman", "kendall")
SYMBOLS: dict[Coefficient, str] = {"pearson": "r", "spearman": "ρ", "kendall": "τ"}


def coefficient_of(x: Floats, y: Floats, kind: Coefficient) -> float:
    """Compute Pearson's r, Spearman's ρ (Pearson's r of mid-ranks) or Kendall's τ_b of x and y [n].

    Returns nan if either array is constant.
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    if kind != "pearson":
        x, y = ranks(x), ranks(y)
    if kind == "kendall":
        return _kendall(x, y)
    dx, dy = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(dx @ dx) * float(dy @ dy))
    return max(-1.0, min(1.0, float(dx @ dy) / scale)) if scale > 0 else math.nan


def ranks(values: Floats) -> Floats:
    """Mid-ranks of values, which count as tied if they agree to twelve digits.

    Means of the same scores, summed in another order, may differ by rounding alone.
    """
    scale = float(np.abs(values).max(initial=0)) or 1.0
    codes, counts = _dense_ranks(np.round(values / scale, 12))
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[codes])


def _kendall(x: Floats, y: Floats) -> float:
    """Kendall's τ_b of x and y [n]; nan if either is constant.

    In the order of x, pairs of points are discordant where y decreases (Knight 1966). This is
    `scipy.stats.kendalltau` without its p-value, to import which takes longer than an analysis.
    """
    (x_codes, x_counts), (y_codes, y_counts) = _dense_ranks(x), _dense_ranks(y)
    order = np.lexsort((y_codes, x_codes))  # of equal x, y increases: these are not discordant
    _, both_counts = _dense_ranks(x_codes * len(y_counts) + y_codes)
    total, x_ties, y_ties, ties = (
        int((counts * (counts - 1) // 2).sum())
        for counts in (np.array([len(x)]), x_counts, y_counts, both_counts)
    )
    if total in (x_ties, y_ties):
        return math.nan
    difference = total - x_ties - y_ties + ties - 2 * _inversions(y_codes[order])
    tau = difference / math.sqrt(total - x_ties) / math.sqrt(total - y_ties)
    return max(-1.0, min(1.0, tau))


def _inversions(codes: Ints) -> int:
    """Number of pairs of codes [n] of which the first is larger.

    Codes are sorted by their bits, from the highest to the lowest; two that agree in all higher
    bits are inverted if the first has a 1 and the second a 0.
    """
    count = 0
    for bit in reversed(range(int(codes.max()).bit_length())):
        is_one = codes >> bit & 1
        ones_before = np.cumsum(is_one) - is_one
        higher = codes >> (bit + 1)
        ones_in_group = ones_before - ones_before[np.searchsorted(higher, higher)]
        count += int(ones_in_group[is_one == 0].sum())
        codes = codes[np.argsort(codes >> bit, kind="stable")]
    return count


def _dense_ranks(values: NDArray[Any]) -> tuple[Ints, Ints]:
    """Rank of each value [n] among the different values, from 0, and how often each occurs."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    differs = np.concatenate([[False], ordered[1:] != ordered[:-1]])
    codes = np.empty(len(values), dtype=np.int64)
    codes[order] = np.cumsum(differs)
    return codes, np.bincount(codes)
