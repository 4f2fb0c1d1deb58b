"""Disattenuated correlation by split halves of items and draws, without a model of errors.

In: item scores of both arms on the same items. Out: `Disattenuation`. The measurement errors of
disjoint halves of the items (whole clusters) and of the draws of demonstrations are independent, so
covariances between halves are covariances of true scores; averaged over random splits,

    mean[cov(x_A, y_B), cov(x_B, y_A)] / √(cov(x_A, x_B) cov(y_A, y_B)).

It assumes less than the moments (moments.py) and is less precise: their check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.disattenuation.moments import Disattenuation, of_covariances

Floats = NDArray[np.float64]
SPLITS = 100
"Number of random splits."


@dataclass(frozen=True)
class HalfScores:
    """Mean scores of both arms in both halves of every split."""

    x: Floats
    "[splits, halves, pairs]"
    y: Floats
    "[splits, halves, pairs]"

    def select(self, selected: NDArray[np.bool_]) -> HalfScores:
        """Restrict to the selected pairs (boolean, [pairs])."""
        return HalfScores(self.x[..., selected], self.y[..., selected])


def half_scores(
    x: Floats, y: Floats, *, clusters: ArrayLike, splits: int, rng: np.random.Generator
) -> HalfScores:
    """Split scores [pairs, draws, items] into random halves; both arms have the same items in one.

    An arm with a single draw has that draw in both halves. ValueError with fewer than two clusters
    of items.
    """
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        raise ValueError("split halves need at least two clusters of items; found one")
    order = rng.permuted(np.tile(np.arange(n_clusters), (splits, 1)), axis=1)
    first_half = (order < n_clusters / 2)[:, codes].astype(float)
    return HalfScores(*(_half_means(scores, first_half, rng) for scores in (x, y)))


def _half_means(scores: Floats, first_half: Floats, rng: np.random.Generator) -> Floats:
    """Mean scores [splits, halves, pairs]; `first_half` [splits, items] is 1 for its items."""
    draws = scores.shape[1]
    weights = np.ones((len(first_half), 2, 1))
    if draws > 1:
        order = rng.permuted(np.tile(np.arange(draws), (len(first_half), 1)), axis=1)
        first = order < draws // 2
        weights = np.stack([first, ~first], axis=1) / [[[draws // 2], [draws - draws // 2]]]
    means = np.zeros((len(first_half), 2, len(scores)))
    for half, members in enumerate((first_half, 1 - first_half)):
        shares = members / members.sum(1, keepdims=True)
        for draw in range(draws):
            means[:, half] += weights[:, half, draw, None] * (shares @ scores[:, draw].T)
    return means


def of_halves(halves: HalfScores, measured: Floats) -> Disattenuation:
    """Estimate from halves; `measured` is the covariance [2, 2] of the whole mean scores."""
    (xa, xb), (ya, yb) = (
        np.moveaxis(side - side.mean(-1, keepdims=True), 1, 0) for side in (halves.x, halves.y)
    )
    pairs = xa.shape[-1]

    def covariance(one: Floats, other: Floats) -> float:
        return float((one * other).sum(-1).mean() / (pairs - 1))

    across = (covariance(xa, yb) + covariance(xb, ya)) / 2
    true = np.array([[covariance(xa, xb), across], [across, covariance(ya, yb)]])
    return replace(of_covariances(measured, measured - true, pairs), method="halves")


def by_halves(
    x: ArrayLike,
    y: ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: ArrayLike | None = None,
    splits: int = SPLITS,
) -> Disattenuation:
    """Disattenuate the correlation of mean scores, from scores [models, items] of the same items.

    Items of one of the `clusters` [items] (passages) stay in the same half.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if xs.ndim != 2 or xs.shape != ys.shape:
        raise ValueError(f"x and y must both be [models, items]; found {xs.shape} and {ys.shape}")
    labels = np.arange(xs.shape[1]) if clusters is None else clusters
    halves = half_scores(xs[:, None], ys[:, None], clusters=labels, splits=splits, rng=rng)
    return of_halves(halves, np.cov(xs.mean(1), ys.mean(1)))
