"""Bootstrap over families: correlations of many tasks at once, and the BCa interval.

In: scores [tasks, pairs] of both arms, and the families. Out: bootstrap or jackknife replicates,
and the bias-corrected and accelerated interval (Efron 1987) with families as units, its
acceleration from the delete-one-family jackknife. A resample of families is a vector of counts, and
a correlation is a function of sums, so the sums of each family are computed once and all resamples
follow from a matrix product.

The jackknife (jackknife.py) is the default interval: in simulations with 6 to 15 families, BCa at a
nominal .95 covers .88 to .90.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distributions import normal_cdf, normal_quantile
from analysis.statistics.families import Families
from analysis.statistics.interval import FAMILY_NOISE, Interval

Floats = NDArray[np.float64]
METHOD = "BCa over families"
MIN_VARIANCE = 1e-12
"Share of the sum of squares below which a resample counts as constant."


def family_counts(families: Families, *, draws: int, rng: np.random.Generator) -> Floats:
    """Resample families with replacement: how often each was drawn, [draws, families]."""
    groups = families.count
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(float)


def correlations_of_counts(
    x: ArrayLike, y: ArrayLike, families: Families, counts: ArrayLike
) -> Floats:
    """Pearson's r [draws, tasks] of scores [tasks, pairs], families weighted by `counts`.

    `counts` is [draws, families]. Returns nan where a resample is constant.
    """
    xs, ys = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    # Centred first: sums of squares of raw scores would cancel.
    xs, ys = xs - xs.mean(1, keepdims=True), ys - ys.mean(1, keepdims=True)
    members = families.members()
    parts = (np.ones_like(xs), xs, ys, xs * xs, ys * ys, xs * ys)
    n, sx, sy, sxx, syy, sxy = (np.asarray(counts, float) @ (members @ part.T) for part in parts)
    tiny = MIN_VARIANCE
    with np.errstate(divide="ignore", invalid="ignore"):
        xx, yy, xy = sxx - sx * sx / n, syy - sy * sy / n, sxy - sx * sy / n
        varies = (xx > tiny * np.maximum(sxx, tiny)) & (yy > tiny * np.maximum(syy, tiny))
        r = xy / np.sqrt(xx * yy)
    return np.asarray(np.where(varies, np.clip(r, -1, 1), math.nan))


def leave_one_family_out(x: ArrayLike, y: ArrayLike, families: Families) -> Floats:
    """Pearson's r [families, tasks] without each family, in the order of `families.names`."""
    return correlations_of_counts(x, y, families, 1.0 - np.eye(families.count))


def bca(
    x: ArrayLike,
    y: ArrayLike,
    families: Families,
    *,
    rng: np.random.Generator,
    draws: int = 9_999,
    level: float = 0.95,
) -> Interval:
    """Compute the BCa interval of Pearson's r of x and y [pairs], resampling families.

    The ends are nan where a jackknife replicate or half of the resamples is undefined.
    """
    estimate = float(correlations_of_counts(x, y, families, np.ones((1, families.count)))[0, 0])
    counts = family_counts(families, draws=draws, rng=rng)
    resampled = correlations_of_counts(x, y, families, counts)[:, 0]
    resampled = resampled[np.isfinite(resampled)]
    replicates = leave_one_family_out(x, y, families)[:, 0]
    undefined = Interval(math.nan, math.nan, level, METHOD, FAMILY_NOISE)
    defined = np.isfinite(estimate) and np.isfinite(replicates).all()
    if not defined or len(resampled) < draws / 2:
        return undefined
    below = (float(np.mean(resampled < estimate)) + float(np.mean(resampled <= estimate))) / 2
    if not 0 < below < 1:
        return undefined
    bias = float(normal_quantile(below))
    deviations = replicates.mean() - replicates
    spread = float((deviations**2).sum()) ** 1.5
    acceleration = float((deviations**3).sum()) / (6 * spread) if spread > 0 else 0.0
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + float(normal_quantile(tail))
        ends.append(float(normal_cdf(bias + z / (1 - acceleration * z))))
    low, high = np.quantile(resampled, ends)
    return Interval(float(low), float(high), level, METHOD, FAMILY_NOISE)
