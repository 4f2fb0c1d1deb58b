"""What the tuned model solves, item by item, against what its base solves.

In: item scores of both on the same items. Out: `Agreement`. No correlation of means shows this: two
models of equal accuracy may solve the same items or different ones. The bound that a study is about
is a statement on items: what the tuned model gets right, its base gets right with demonstrations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.statistics.interval import Interval
from analysis.statistics.result import Result

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement(Result):
    """Shares of items, nan where undefined."""

    tuned_given_base: float
    "P(tuned right | base right)"
    base_given_tuned: float
    "P(base right | tuned right): how much of what tuning shows is in reach of demonstrations."
    gained: float
    "Share of all items that the tuned model solves and the base does not,"
    lost: float
    "and the reverse."
    kappa: float
    "Error consistency (Geirhos, Meding & Wichmann 2020)."
    kappa_least: float
    "The least and greatest that the two accuracies allow."
    kappa_most: float
    n_items: int

    def sentence(self) -> str:
        """For a paper."""
        return (
            f"Of what the tuned model solves, its base solves {_share(self.base_given_tuned)} with "
            f"demonstrations; κ = {self.kappa:.2f} (attainable {self.kappa_least:.2f} to "
            f"{self.kappa_most:.2f}, {self.n_items} items)."
        )


def agreement(base: ArrayLike, tuned: ArrayLike) -> Agreement:
    """From right (1) or wrong (0) on the same items [n]; ValueError for anything between."""
    b, t = _right(base, "base"), _right(tuned, "tuned")
    if b.shape != t.shape:
        raise ValueError(f"base and tuned must have the same items, {b.shape} and {t.shape}")
    pb, pt = float(b.mean()), float(t.mean())
    both = float((b & t).mean())
    least, most = max(0.0, pb + pt - 1), min(pb, pt)
    return Agreement(
        tuned_given_base=_ratio(both, pb),
        base_given_tuned=_ratio(both, pt),
        gained=float((t & ~b).mean()),
        lost=float((b & ~t).mean()),
        kappa=error_consistency_of(both, pb, pt),
        kappa_least=error_consistency_of(least, pb, pt),
        kappa_most=error_consistency_of(most, pb, pt),
        n_items=len(b),
    )


def error_consistency(base: ArrayLike, tuned: ArrayLike) -> float:
    """κ alone; nan, not 1, where both are always right or both always wrong.

    >>> round(error_consistency([1] * 6 + [0] * 4, [1, 1, 1, 1, 0, 0, 0, 0, 1, 0]), 12)
    0.4
    """
    return agreement(base, tuned).kappa


def error_consistency_of(both: float, pb: float, pt: float) -> float:
    """κ = (c_obs - c_exp)/(1 - c_exp) from the share that both solve and the accuracies."""
    observed = both + (1 - pb - pt + both)
    expected = pb * pt + (1 - pb) * (1 - pt)
    return (observed - expected) / (1 - expected) if expected < 1 else math.nan


def same_wrong_answer(
    base: ArrayLike, tuned: ArrayLike, base_choice: ArrayLike, tuned_choice: ArrayLike
) -> float:
    """Of the items that both get wrong, the share in which they choose the same; nan if none."""
    wrong = ~_right(base, "base") & ~_right(tuned, "tuned")
    same = np.asarray(base_choice) == np.asarray(tuned_choice)
    return float(same[wrong].mean()) if wrong.any() else math.nan


def only_tuned(tuned: ArrayLike, ways_of_base: ArrayLike) -> float:
    """Share of all items that the tuned model solves and its base solves in none of its ways
    [ways, n]: no draw, no number of demonstrations."""
    ways = np.atleast_2d(np.asarray(ways_of_base))
    any_way = np.stack([_right(way, "base") for way in ways]).any(0)
    return float((_right(tuned, "tuned") & ~any_way).mean())


def over_items(
    statistic: Callable[[NDArray[np.int64]], float],
    n_items: int,
    *,
    rng: np.random.Generator,
    clusters: ArrayLike | None = None,
    draws: int = 2_000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap of `statistic(indices)` over items, or over whole clusters of them."""
    labels = np.arange(n_items) if clusters is None else np.asarray(clusters)
    names, codes = np.unique(labels, return_inverse=True)
    members = [np.flatnonzero(codes == i) for i in range(len(names))]
    found = []
    for _ in range(draws):
        chosen = rng.integers(len(names), size=len(names))
        found.append(statistic(np.concatenate([members[i] for i in chosen])))
    values = np.asarray(found)
    values = values[np.isfinite(values)]
    how = "percentile bootstrap over " + ("items" if clusters is None else "clusters of items")
    if len(values) < draws / 2:
        return Interval(math.nan, math.nan, level, how, ("items",))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, how, ("items",))


def mcnemar_p(base: ArrayLike, tuned: ArrayLike) -> float:
    """Exact, of equal accuracy on the same items (McNemar 1947); nan where none differs."""
    b, t = _right(base, "base"), _right(tuned, "tuned")
    gained, lost = int((t & ~b).sum()), int((b & ~t).sum())
    if gained + lost == 0:
        return math.nan
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)


def _right(scores: ArrayLike, whose: str) -> Bools:
    s = np.asarray(scores, dtype=float)
    if s.ndim != 1 or not len(s):
        raise ValueError(f"{whose}: one score per item, found shape {s.shape}")
    if wrong := np.flatnonzero((s != 0) & (s != 1)).tolist():
        found = f"item {wrong[0]} has {s[wrong[0]]}"
        raise ValueError(f"{whose}: items are right (1) or wrong (0); {found}")
    return np.asarray(s == 1)


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan


def _share(value: float) -> str:
    return "an undefined share" if math.isnan(value) else f"{100 * value:.0f} %"
