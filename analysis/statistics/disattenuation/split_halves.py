"""Correlation of true scores from disjoint halves of items and draws, without any model of errors.

In: item scores of both sides on the same items. Out: `Corrected`. What one half of the items (whole
passages) and of the draws of demonstrations gets wrong, the other knows nothing of: covariances
between halves hold true scores alone, averaged over random splits,

    mean[cov(x_A, y_B), cov(x_B, y_A)] / √(cov(x_A, x_B) cov(y_A, y_B)).

It takes nothing for granted and is less sure than the moments (disattenuation.py): the check beside
them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.data.items import ItemScores
from analysis.data.points import Group
from analysis.statistics.correlation.estimands import LEAST
from analysis.statistics.disattenuation.error_variance import CorrectedCorrelation, Errors
from analysis.statistics.disattenuation.moments import Corrected, of_covariances
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z

Floats = NDArray[np.float64]
SPLITS, SEED = 100, 0


@dataclass(frozen=True)
class HalfScores:
    """Mean scores [splits, halves, pairs] of both sides."""

    x: Floats
    y: Floats

    def of(self, chosen: NDArray[np.bool_]) -> HalfScores:
        """Of some of the pairs."""
        return HalfScores(self.x[..., chosen], self.y[..., chosen])


def half_scores(
    x: Floats, y: Floats, *, clusters: ArrayLike, splits: int, rng: np.random.Generator
) -> HalfScores:
    """From scores [pairs, draws, items]; both sides have the same items in a half. A side with one
    draw has it in both. ValueError with fewer than two clusters of items."""
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    number = int(codes.max()) + 1
    if number < 2:
        raise ValueError("halves need two clusters of items at least")
    order = rng.permuted(np.tile(np.arange(number), (splits, 1)), axis=1)
    in_a = (order < number / 2)[:, codes].astype(float)
    return HalfScores(*(_side(scores, in_a, rng) for scores in (x, y)))


def _side(scores: Floats, in_a: Floats, rng: np.random.Generator) -> Floats:
    draws = scores.shape[1]
    weights = np.ones((len(in_a), 2, 1))
    if draws > 1:
        order = rng.permuted(np.tile(np.arange(draws), (len(in_a), 1)), axis=1)
        first = order < draws // 2
        weights = np.stack([first, ~first], axis=1) / [[[draws // 2], [draws - draws // 2]]]
    found = np.zeros((len(in_a), 2, len(scores)))
    for half, members in enumerate((in_a, 1 - in_a)):
        shares = members / members.sum(1, keepdims=True)
        for draw in range(draws):
            found[:, half] += weights[:, half, draw, None] * (shares @ scores[:, draw].T)
    return found


def of_halves(halves: HalfScores, measured: Floats) -> Corrected:
    """`measured`: the covariance [2, 2] of the whole scores."""
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
) -> Corrected:
    """From item scores [models, items] of both sides on the same items; `clusters` of items
    (passages) stay whole."""
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if xs.ndim != 2 or xs.shape != ys.shape:
        raise ValueError(f"x and y must be [models, items] alike, {xs.shape} and {ys.shape}")
    labels = np.arange(xs.shape[1]) if clusters is None else clusters
    halves = half_scores(xs[:, None], ys[:, None], clusters=labels, splits=splits, rng=rng)
    return of_halves(halves, np.cov(xs.mean(1), ys.mean(1)))


def corrected_by_halves(
    group: Group, *, items: ItemScores | None, level: float = 0.95
) -> CorrectedCorrelation | None:
    """Across a group's pairs, with the family jackknife's interval; None without item scores, or
    where a task's items are of one passage."""
    errors = Errors.of(group, items)
    if errors is None or errors.sides is None:
        return None
    if any(len(np.unique(clusters)) < 2 for _, _, clusters in errors.sides):
        return None
    rng = np.random.default_rng(SEED)
    total: list[Floats] = []
    for (x, y, clusters), chance in zip(errors.sides, group.chance, strict=True):
        own = half_scores(x, y, clusters=clusters, splits=SPLITS, rng=rng)
        total.append(np.stack([own.x, own.y]) / (1.0 - chance))
    halves = HalfScores(*np.mean(total, axis=0))
    x, y = group.x.mean(1), group.y.mean(1)

    def on(chosen: NDArray[np.bool_]) -> Corrected:
        return of_halves(halves.of(chosen), np.cov(x[chosen], y[chosen]))

    found = on(np.ones(len(x), dtype=np.bool_))
    jackknife = family_jackknife(
        lambda rest: fisher_z(on(rest).estimate) if rest.sum() >= LEAST else math.nan,
        group.families,
    )
    interval, p, note = jackknife.interval(level=level, fisher=True)
    return CorrectedCorrelation(found, interval, p, found.note or note)
