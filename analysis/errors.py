"""The measurement error of pairs' scores, and the correlation corrected for it.

In: a group of scores (points.py), and item scores where there are any. Out: `corrected`, with the
family jackknife's interval through the whole of it: the errors are estimated anew without each
family.

With item scores the errors are what is left of model by item, model by draw, and both (below);
without, the reported standard errors stand in: they hold the items' difficulty too, which all
models share, and say nothing of how base and tuned err together, so they correct too much where
items differ much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.disattenuation import Corrected, error_covariance, of_covariances
from analysis.intervals import Interval
from analysis.items import ItemScores
from analysis.jackknife import family_jackknife, fisher_z
from analysis.likelihood import by_likelihood
from analysis.points import Group

Floats = NDArray[np.float64]
MUCH_ERROR = 0.5
"Reliability below which a corrected value is no headline."


@dataclass(frozen=True)
class Components:
    """Variances of a score [models, draws, items] that differ by model, beside its own mean."""

    model_item: float
    model_draw: float
    residual: float
    "Model by draw by item, and chance."
    draws: int
    items: int

    @property
    def of_mean(self) -> float:
        """Error variance of a model's mean: σ²_md/D + σ²_mi/n + σ²_r/(nD)."""
        each = self.model_item / self.items + self.residual / (self.items * self.draws)
        return self.model_draw / self.draws + each


def components(scores: Floats) -> Components:
    """By analysis of variance, scores [models, draws, items]; a negative estimate stays negative.

    With one draw, draws cannot be told from models: `model_draw` is nan and `residual` 0.
    """
    models, draws, items = scores.shape
    of_items = _interaction(scores.mean(1)) / ((models - 1) * (items - 1))
    if draws == 1:
        return Components(of_items, math.nan, 0.0, 1, items)
    of_draws = _interaction(scores.mean(2)) / ((models - 1) * (draws - 1))
    rest = scores
    for axis in range(3):
        rest = rest - rest.mean(axis, keepdims=True)
    residual = float((rest**2).sum()) / ((models - 1) * (draws - 1) * (items - 1))
    return Components(
        model_item=of_items - residual / draws,
        model_draw=of_draws - residual / items,
        residual=residual,
        draws=draws,
        items=items,
    )


def _interaction(means: Floats) -> float:
    centred = means - means.mean(0) - means.mean(1, keepdims=True) + means.mean()
    return float((centred**2).sum())


@dataclass(frozen=True)
class CorrectedCorrelation:
    """Naive and corrected together, with the corrected one's interval."""

    corrected: Corrected
    interval: Interval
    p: float
    note: str


def corrected(
    group: Group,
    *,
    x_arm: str,
    y_arm: str,
    items: ItemScores | None,
    rooms: Sequence[float],
    level: float = 0.95,
) -> CorrectedCorrelation | None:
    """Across pairs; None if neither item scores nor standard errors are there.

    `rooms`: 1 - chance of each of the group's tasks, by which item scores are normalised.
    """
    sides = _item_arrays(group, x_arm, y_arm, items)
    if sides is None and not (
        np.isfinite(group.x_stderr).all() and np.isfinite(group.y_stderr).all()
    ):
        return None
    x, y = group.x.mean(1), group.y.mean(1)
    everyone = np.ones(len(x), dtype=np.bool_)

    def on(chosen: NDArray[np.bool_]) -> Corrected:
        if sides is None:
            return _by_stderr(group, chosen)
        errors = _covariance(sides, rooms, chosen)
        return of_covariances(np.cov(x[chosen], y[chosen]), errors, int(chosen.sum()))

    found = on(everyone)
    jackknife = family_jackknife(lambda rest: fisher_z(on(rest).estimate), group.families)
    interval, p, note = jackknife.interval(level=level, fisher=True)
    notes = [found.note or note]
    least = min(found.reliability_x, found.reliability_y)
    if least < MUCH_ERROR:
        notes.append(f"reliability {least:.2f}: no headline")
    return CorrectedCorrelation(found, interval, p, "; ".join(filter(None, notes)))


def _item_arrays(
    group: Group, x_arm: str, y_arm: str, items: ItemScores | None
) -> list[tuple[Floats, Floats]] | None:
    """Both sides [pairs, draws, items] of every task; None if one is not there."""
    if items is None or len(group.pairs) < 3:
        return None
    sides = []
    for task in group.tasks:
        x, y = (items.of(arm, task, group.pairs) for arm in (x_arm, y_arm))
        if x is None or y is None or x.shape[2] != y.shape[2] or x.shape[2] < 2:
            return None
        sides.append((x, y))
    return sides


def _covariance(
    sides: list[tuple[Floats, Floats]], rooms: Sequence[float], chosen: NDArray[np.bool_]
) -> Floats:
    """Of the errors of the mean over tasks, whose items are independent [2, 2]."""
    total = np.zeros((2, 2))
    for (x, y), room in zip(sides, rooms, strict=True):
        own = error_covariance(x[chosen].mean(1), y[chosen].mean(1))
        for i, scores in enumerate((x, y)):
            if scores.shape[1] > 1:
                own[i, i] += components(scores[chosen]).model_draw / scores.shape[1]
        total += own / room**2
    return np.asarray(total / len(sides) ** 2)


def _by_stderr(group: Group, chosen: NDArray[np.bool_]) -> Corrected:
    x, y = group.x[chosen].mean(1), group.y[chosen].mean(1)
    tasks = group.x.shape[1]
    variances = [(s[chosen] ** 2).sum(1) / tasks**2 for s in (group.x_stderr, group.y_stderr)]
    errors = np.zeros((len(x), 2, 2))
    errors[:, 0, 0], errors[:, 1, 1] = variances
    measured = np.cov(x, y)
    naive = of_covariances(measured, errors.mean(0), len(x))
    if math.isnan(naive.estimate):
        return naive
    fit = by_likelihood(x, y, errors, test=False)
    estimate = math.nan if fit.at_boundary else fit.rho
    note = "not estimable: the likelihood is greatest at the boundary" if fit.at_boundary else ""
    return Corrected(
        "likelihood", naive.naive, estimate, naive.reliability_x, naive.reliability_y, len(x), note
    )
