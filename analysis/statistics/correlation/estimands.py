"""The four estimands: which correlation is meant, as a function of scores by pair and task.

In: scores x and y [pairs, tasks] and a coefficient. Out: one number, or the reason for nan.

`across_pairs`, the main estimand, correlates the pairs' means. `across_tasks`, which the source
paper reports, is the correlation over tasks within each pair, averaged on Fisher's scale; tasks
that are easy for one model are easy for all, so it is high whether or not base scores predict tuned
scores. `pooled` treats every combination of pair and task as a point. `double_centred` removes both
main effects first: does a pair whose base does better on a task than the pair's and the task's
means predict also do better when tuned?
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.correlation.coefficients import Coefficient, coefficient_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Estimand = Literal["across_pairs", "across_tasks", "pooled", "double_centred"]

ESTIMANDS: tuple[Estimand, ...] = ("across_pairs", "across_tasks", "pooled", "double_centred")
MIN_POINTS = 3
"Points that a correlation needs."


def estimate(x: Floats, y: Floats, estimand: Estimand, kind: Coefficient) -> tuple[float, str]:
    """Estimate a correlation of scores [pairs, tasks]; return (value, reason if it is nan)."""
    pairs, tasks = x.shape
    if estimand == "across_pairs":
        return _correlate_points(x.mean(1), y.mean(1), kind, "pairs")
    if tasks < MIN_POINTS:
        return math.nan, f"not estimable: {tasks} tasks, {MIN_POINTS} are needed"
    if estimand == "across_tasks":
        return _average(_within_pairs(x, y, kind))
    if estimand == "double_centred":
        if pairs < MIN_POINTS:
            return math.nan, f"not estimable: {pairs} pairs, {MIN_POINTS} are needed"
        x, y = _double_centre(x), _double_centre(y)
    return _correlate_points(x.ravel(), y.ravel(), kind, "points")


def estimate_without(
    x: Floats, y: Floats, estimand: Estimand, kind: Coefficient, left_out: Sequence[Bools]
) -> list[tuple[float, str]]:
    """Estimate a correlation without each of several sets of pairs (boolean, [pairs]).

    The correlation over tasks within a pair is the same whichever other pairs are left out.
    """
    if estimand == "across_tasks" and x.shape[1] >= MIN_POINTS:
        within = _within_pairs(x, y, kind)
        return [_average([within[i] for i in np.flatnonzero(~out)]) for out in left_out]
    return [estimate(x[~out], y[~out], estimand, kind) for out in left_out]


def _within_pairs(x: Floats, y: Floats, kind: Coefficient) -> list[tuple[float, str]]:
    return [_correlate_points(a, b, kind, "tasks") for a, b in zip(x, y, strict=True)]


def _correlate_points(x: Floats, y: Floats, kind: Coefficient, unit: str) -> tuple[float, str]:
    if len(x) < MIN_POINTS:
        return math.nan, f"not estimable: {len(x)} {unit}, {MIN_POINTS} are needed"
    for axis, values in (("x", x), ("y", y)):
        if np.ptp(values) == 0:
            return math.nan, f"not estimable: the scores of {axis} are all {values[0]:g}"
    return coefficient_of(x, y, kind), ""


def _average(correlations: list[tuple[float, str]]) -> tuple[float, str]:
    """Average the pairs' correlations on Fisher's scale."""
    for value, reason in correlations:
        if reason or abs(value) == 1:
            return math.nan, f"the correlation within one pair: {reason or f'it is {value:g}'}"
    return math.tanh(float(np.mean([math.atanh(value) for value, _ in correlations]))), ""


def _double_centre(scores: Floats) -> Floats:
    centred = scores - scores.mean(1, keepdims=True) - scores.mean(0, keepdims=True) + scores.mean()
    # Residuals that consist of rounding error alone count as zero.
    return np.where(np.abs(centred) < 1e-12 * np.abs(scores).max(initial=0), 0.0, centred)
