"""Correlations of many tasks over whole families drawn anew, all at once.

In: scores [tasks, pairs] of both sides, and the families. Out: replicates, and the BCa interval
that they give (Efron 1987, with families as the units, so its acceleration is that of leaving
each out). A draw of families is a vector of counts, and a correlation needs sums alone: the sums of
every family are taken once, and a draw is a product of matrices.

The jackknife is the default (correlation.py): by simulation BCa over 6 to 15 families covers .88 to
.90 where .95 is meant.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.data.families import Families
from analysis.statistics.interval import EVERY_NOISE, Interval

Floats = NDArray[np.float64]


def family_counts(families: Families, *, draws: int, rng: np.random.Generator) -> Floats:
    """[draws, families]: how often each family was drawn, families with replacement."""
    groups = families.count
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(float)


def correlations_of_counts(
    x: ArrayLike, y: ArrayLike, families: Families, counts: ArrayLike
) -> Floats:
    """Pearson's r [draws, tasks] of scores [tasks, pairs], families weighted by `counts`.

    nan where all that was drawn is constant.
    """
    xs, ys = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    # About the mean of all: sums of squares of raw scores would cancel.
    xs, ys = xs - xs.mean(1, keepdims=True), ys - ys.mean(1, keepdims=True)
    members = families.members()
    parts = (np.ones_like(xs), xs, ys, xs * xs, ys * ys, xs * ys)
    n, sx, sy, sxx, syy, sxy = (np.asarray(counts, float) @ (members @ part.T) for part in parts)
    tiny = 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        xx, yy, xy = sxx - sx * sx / n, syy - sy * sy / n, sxy - sx * sy / n
        fine = (xx > tiny * np.maximum(sxx, tiny)) & (yy > tiny * np.maximum(syy, tiny))
        r = xy / np.sqrt(xx * yy)
    return np.asarray(np.where(fine, np.clip(r, -1, 1), math.nan))


def left_out(x: ArrayLike, y: ArrayLike, families: Families) -> Floats:
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
    """The BCa interval over families of one correlation; nan where replicates are undefined."""
    estimate = float(correlations_of_counts(x, y, families, np.ones((1, families.count)))[0, 0])
    counts = family_counts(families, draws=draws, rng=rng)
    found = correlations_of_counts(x, y, families, counts)[:, 0]
    found = found[np.isfinite(found)]
    without = left_out(x, y, families)[:, 0]
    nothing = Interval(math.nan, math.nan, level, "BCa over families", EVERY_NOISE)
    if not np.isfinite(estimate) or not np.isfinite(without).all() or len(found) < draws / 2:
        return nothing
    below = (float(np.mean(found < estimate)) + float(np.mean(found <= estimate))) / 2
    if not 0 < below < 1:
        return nothing
    bias = float(stats.norm.ppf(below))
    away = without.mean() - without
    spread = float((away**2).sum()) ** 1.5
    acceleration = float((away**3).sum()) / (6 * spread) if spread > 0 else 0.0
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + float(stats.norm.ppf(tail))
        ends.append(float(stats.norm.cdf(bias + z / (1 - acceleration * z))))
    low, high = np.quantile(found, ends)
    return Interval(float(low), float(high), level, "BCa over families", EVERY_NOISE)
