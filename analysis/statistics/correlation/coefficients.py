"""Correlation coefficients of two arrays: Pearson's r, Spearman's ρ and Kendall's τ_b.

In: two arrays of equal length. Out: a float, nan where the coefficient is undefined.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
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
        return float(stats.kendalltau(x, y).statistic)
    dx, dy = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(dx @ dx) * float(dy @ dy))
    return max(-1.0, min(1.0, float(dx @ dy) / scale)) if scale > 0 else math.nan


def ranks(values: Floats) -> Floats:
    """Mid-ranks of values, which count as tied if they agree to twelve digits.

    Means of the same scores, summed in another order, may differ by rounding alone.
    """
    scale = float(np.abs(values).max(initial=0)) or 1.0
    return np.asarray(stats.rankdata(np.round(values / scale, 12)))
