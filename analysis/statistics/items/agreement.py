"""Agreement of a base and its tuned model, item by item.

In: item scores of both on the same items, 1 (right) or 0 (wrong). Out: `Agreement`. A correlation
of means does not show this: two models of equal accuracy may solve the same items or different
ones. The bound under study is a statement about items: what the tuned model gets right, its base
gets right with demonstrations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.interval import Interval
from analysis.statistics.result import Result

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement(Result):
    """Shares of items and error consistency; nan where undefined."""

    tuned_given_base: float
    "P(tuned right | base right)"
    base_given_tuned: float
    "P(base right | tuned right): the share of what the tuned model solves that its base solves."
    gained: float
    "Share of all items that only the tuned model solves."
    lost: float
    "Share of all items that only the base solves."
    kappa: float
    "Error consistency (Geirhos, Meding & Wichmann 2020)."
    kappa_least: float
    "Smallest kappa that the two accuracies allow."
    kappa_most: float
    "Largest kappa that the two accuracies allow."
    n_items: int

    def sentence(self) -> str:
        """Describe the agreement for a paper."""
        return (
            f"Of what the tuned model solves, its base solves {_share(self.base_given_tuned)} with "
            f"demonstrations; κ = {self.kappa:.2f} (attainable {self.kappa_least:.2f} to "
            f"{self.kappa_most:.2f}, {self.n_items} items)."
        )


def agreement(base: ArrayLike, tuned: ArrayLike) -> Agreement:
    """Compare scores [n] of the same items, 1 or 0; ValueError for any other score."""
    b, t = _right(base, "base"), _right(tuned, "tuned")
    if b.shape != t.shape:
        raise ValueError(f"base and tuned must have the same items, {b.shape} and {t.shape}")
    base_accuracy, tuned_accuracy = float(b.mean()), float(t.mean())
    both = float((b & t).mean())
    least = max(0.0, base_accuracy + tuned_accuracy - 1)
    most = min(base_accuracy, tuned_accuracy)
    return Agreement(
        tuned_given_base=_ratio(both, base_accuracy),
        base_given_tuned=_ratio(both, tuned_accuracy),
        gained=float((t & ~b).mean()),
        lost=float((b & ~t).mean()),
        kappa=error_consistency_of(both, base_accuracy, tuned_accuracy),
        kappa_least=error_consistency_of(least, base_accuracy, tuned_accuracy),
        kappa_most=error_consistency_of(most, base_accuracy, tuned_accuracy),
        n_items=len(b),
    )


def error_consistency(base: ArrayLike, tuned: ArrayLike) -> float:
    """Error consistency κ (Geirhos, Meding & Wichmann 2020) of scores [n] of the same items.

    Returns nan where both models are always right or both always wrong.

    >>> round(error_consistency([1] * 6 + [0] * 4, [1, 1, 1, 1, 0, 0, 0, 0, 1, 0]), 12)
    0.4
    """
    return agreement(base, tuned).kappa


def error_consistency_of(both: float, base: float, tuned: float) -> float:
    """κ = (c_obs - c_exp)/(1 - c_exp) from the share that both solve and the two accuracies."""
    observed = both + (1 - base - tuned + both)
    expected = base * tuned + (1 - base) * (1 - tuned)
    return (observed - expected) / (1 - expected) if expected < 1 else math.nan


def same_wrong_answer(
    base: ArrayLike, tuned: ArrayLike, base_choice: ArrayLike, tuned_choice: ArrayLike
) -> float:
    """Share of the items that both get wrong on which both give the same answer; nan if none.

    All arrays are [n]; a choice is any code that is equal for equal answers.
    """
    wrong = ~_right(base, "base") & ~_right(tuned, "tuned")
    same = np.asarray(base_choice) == np.asarray(tuned_choice)
    return float(same[wrong].mean()) if wrong.any() else math.nan


def only_tuned(tuned: ArrayLike, base_attempts: ArrayLike) -> float:
    """Share of all items that the tuned model solves and its base solves in no attempt.

    `base_attempts` is [attempts, n], an attempt being one arm and draw.
    """
    attempts = np.atleast_2d(np.asarray(base_attempts))
    solved = np.stack([_right(attempt, "base") for attempt in attempts]).any(0)
    return float((_right(tuned, "tuned") & ~solved).mean())


def item_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    n_items: int,
    *,
    rng: np.random.Generator,
    clusters: ArrayLike | None = None,
    draws: int = 2_000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap of `statistic(indices)` over items, or over whole clusters of items.

    The ends are nan where half of the resamples are undefined.
    """
    labels = np.arange(n_items) if clusters is None else np.asarray(clusters)
    names, codes = np.unique(labels, return_inverse=True)
    members = [np.flatnonzero(codes == i) for i in range(len(names))]
    resampled = []
    for _ in range(draws):
        drawn = rng.integers(len(names), size=len(names))
        resampled.append(statistic(np.concatenate([members[i] for i in drawn])))
    values = np.asarray(resampled)
    values = values[np.isfinite(values)]
    method = "percentile bootstrap over " + ("items" if clusters is None else "clusters of items")
    if len(values) < draws / 2:
        return Interval(math.nan, math.nan, level, method, ("items",))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, method, ("items",))


def mcnemar_p(base: ArrayLike, tuned: ArrayLike) -> float:
    """Exact p-value of equal accuracy on the same items [n] (McNemar 1947); nan if none differs."""
    b, t = _right(base, "base"), _right(tuned, "tuned")
    gained, lost = int((t & ~b).sum()), int((b & ~t).sum())
    if gained + lost == 0:
        return math.nan
    from scipy import stats  # it takes long to import

    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)


def _right(scores: ArrayLike, name: str) -> Bools:
    """Scores as booleans; ValueError unless they are [n] and each is 0 or 1."""
    s = np.asarray(scores, dtype=float)
    if s.ndim != 1 or not len(s):
        raise ValueError(f"{name} must hold one score per item; found shape {s.shape}")
    if wrong := np.flatnonzero((s != 0) & (s != 1)).tolist():
        raise ValueError(f"{name} must hold 0 or 1; item {wrong[0]} has {s[wrong[0]]}")
    return np.asarray(s == 1)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan


def _share(value: float) -> str:
    return "an undefined share" if math.isnan(value) else f"{100 * value:.0f} %"
