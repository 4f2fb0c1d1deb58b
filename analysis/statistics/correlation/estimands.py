"""Which correlation: the four estimands, each a function of scores by pair and task.

In: scores x and y [pairs, tasks] and a coefficient. Out: one number, or why there is none.

`across_pairs` (the headline) correlates the pairs' means. `across_tasks` is what the source paper
reports: the correlation over tasks within each pair, averaged on Fisher's scale; tasks that are
easy for one model are easy for all, so it is high whether or not anything is carried over. `pooled`
takes every pair and task as a point. `double_centred` takes both main effects away: whether a pair
that is better at a task as a base than it and the task would suggest stays so when tuned.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Coefficient = Literal["pearson", "spearman", "kendall"]
Estimand = Literal["across_pairs", "across_tasks", "pooled", "double_centred"]

COEFFICIENTS: tuple[Coefficient, ...] = ("pearson", "spearman", "kendall")
ESTIMANDS: tuple[Estimand, ...] = ("across_pairs", "across_tasks", "pooled", "double_centred")
LEAST = 3
"Points that a correlation needs."


def coefficient_of(xs: Floats, ys: Floats, kind: Coefficient) -> float:
    """Pearson's r, Spearman's ρ (Pearson's r of mid-ranks) or Kendall's τ_b; nan if either is
    constant."""
    if np.ptp(xs) == 0 or np.ptp(ys) == 0:
        return math.nan
    if kind != "pearson":
        xs, ys = ranks(xs), ranks(ys)
    if kind == "kendall":
        return float(stats.kendalltau(xs, ys).statistic)
    dx, dy = xs - xs.mean(), ys - ys.mean()
    scale = math.sqrt(float(dx @ dx) * float(dy @ dy))
    return max(-1.0, min(1.0, float(dx @ dy) / scale)) if scale > 0 else math.nan


def ranks(values: Floats) -> Floats:
    """Mid-ranks, of values that are one but for rounding too: means of the same scores, summed in
    another order, are ties."""
    scale = float(np.abs(values).max(initial=0)) or 1.0
    return np.asarray(stats.rankdata(np.round(values / scale, 12)))


def estimate(x: Floats, y: Floats, estimand: Estimand, kind: Coefficient) -> tuple[float, str]:
    """(the correlation, why it is nan), from scores [pairs, tasks]."""
    pairs, tasks = x.shape
    if estimand == "across_pairs":
        return _of_points(x.mean(1), y.mean(1), kind, "pairs")
    if tasks < LEAST:
        return math.nan, f"not estimable: {tasks} tasks, {LEAST} are needed"
    if estimand == "across_tasks":
        return _averaged([_of_points(a, b, kind, "tasks") for a, b in zip(x, y, strict=True)])
    if estimand == "double_centred":
        if pairs < LEAST:
            return math.nan, f"not estimable: {pairs} pairs, {LEAST} are needed"
        x, y = _centred(x), _centred(y)
    return _of_points(x.ravel(), y.ravel(), kind, "points")


def _of_points(xs: Floats, ys: Floats, kind: Coefficient, what: str) -> tuple[float, str]:
    if len(xs) < LEAST:
        return math.nan, f"not estimable: {len(xs)} {what}, {LEAST} are needed"
    for axis, values in (("x", xs), ("y", ys)):
        if np.ptp(values) == 0:
            return math.nan, f"not estimable: the scores of {axis} are all {values[0]:g}"
    return coefficient_of(xs, ys, kind), ""


def _averaged(found: list[tuple[float, str]]) -> tuple[float, str]:
    for value, why in found:
        if why or abs(value) == 1:
            return math.nan, f"a pair's own correlation: {why or f'it is {value:g}'}"
    return math.tanh(float(np.mean([math.atanh(value) for value, _ in found]))), ""


def _centred(scores: Floats) -> Floats:
    centred = scores - scores.mean(1, keepdims=True) - scores.mean(0, keepdims=True) + scores.mean()
    # What rounding leaves of no residual at all is no residual.
    return np.where(np.abs(centred) < 1e-12 * np.abs(scores).max(initial=0), 0.0, centred)
