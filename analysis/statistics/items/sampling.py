"""Standard errors of a model's score over items, and how many items a difference needs.

In: item scores. Out: standard errors, intervals, numbers of items. After Miller 2024
(arXiv 2411.00640): items that share a passage or a template are drawn together, two models on the
same items are compared item by item, and several draws of demonstrations divide only the part of
the variance that is theirs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def standard_error(
    scores: ArrayLike, *, clusters: ArrayLike | None = None, few_clusters: bool = True
) -> float:
    """Of the mean of item scores [n]: sd/√n, or over `clusters` of items [n]

        SE² = Σ_c (Σ_{i∈c} (s_i - s̄))² / n², times G/(G-1) for `few_clusters`.

    nan with fewer than two items or clusters.
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
    """Of the difference of two means over the same items."""
    return standard_error(np.asarray(a, float) - np.asarray(b, float), clusters=clusters)


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """For a share of few items (Wilson 1927).

    >>> low, high = wilson_interval(81, 263)
    >>> round(low, 6), round(high, 6)
    (0.255289, 0.36621)
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def empirical_logit(successes: float, n: float) -> tuple[float, float]:
    """(log((k + ½)/(n - k + ½)), its variance): for scores near 0 and 1.

    >>> value, variance = empirical_logit(9, 10)
    >>> round(value, 7), round(variance, 7)
    (1.8458267, 0.7719298)
    """
    k, rest = successes + 0.5, n - successes + 0.5
    return math.log(k / rest), 1 / k + 1 / rest


def items_needed(
    difference: float,
    between_items: float,
    *,
    within_x: float = 0.0,
    within_y: float = 0.0,
    draws: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Items that show a difference of two models on the same items (Miller 2024, equation 9).

    `between_items` is the variance of the items' differences (ω²), `within_*` those of one
    answer's score given its item (σ²).

    >>> items_needed(0.03, 1 / 9)
    969
    """
    variance = between_items + (within_x + within_y) / draws
    return math.ceil(_quantiles(alpha, power) ** 2 * variance / difference**2)


def detectable_difference(
    n_items: int,
    between_items: float,
    *,
    within_x: float = 0.0,
    within_y: float = 0.0,
    draws: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest difference that so many items show; the inverse of `items_needed`."""
    variance = between_items + (within_x + within_y) / draws
    return _quantiles(alpha, power) * math.sqrt(variance / n_items)


def pairs_needed(
    r: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    per_family: float = 1.0,
    intra_family: float = 0.0,
) -> int:
    """Pairs that show a correlation: ((z_{α/2} + z_β)/atanh r)² + 3 independent ones, times
    1 + (m - 1)·icc for families of m pairs on average.

    >>> pairs_needed(0.3), pairs_needed(0.5)
    (85, 30)
    """
    independent = (_quantiles(alpha, power) / math.atanh(abs(r))) ** 2 + 3
    return math.ceil(independent * (1 + (per_family - 1) * intra_family))


def _quantiles(alpha: float, power: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
