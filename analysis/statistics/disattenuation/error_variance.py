"""The measurement error of pairs' scores, and the correlation corrected for it.

In: a group of scores (points.py), and item scores where there are any. Out: `Errors`, and
`corrected` with the family jackknife's interval through the whole of it: the errors are estimated
anew without each family.

With item scores the errors are what is left of model by item, model by draw, and both (below);
without, the reported standard errors stand in: they hold the items' difficulty too, which all
models share, and say nothing of how base and tuned err together, so they correct too much where
items differ much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.items import ItemScores
from analysis.data.points import Group
from analysis.statistics.correlation.estimands import LEAST
from analysis.statistics.disattenuation.likelihood import Likelihood, by_likelihood
from analysis.statistics.disattenuation.moments import Corrected, error_covariance, of_covariances
from analysis.statistics.interval import Interval
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MUCH_ERROR = 0.5
"Reliability below which a corrected value is no headline."


@dataclass(frozen=True)
class Components(Result):
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

    def sentence(self) -> str:
        """For a paper."""
        return (
            f"Variance of a model's mean over {self.items} items and {self.draws} draws that is no "
            f"ability: {self.of_mean:.2g} (model by item {self.model_item:.2g}, model by draw "
            f"{self.model_draw:.2g}, rest {self.residual:.2g} of a single answer)."
        )


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
class Errors:
    """Covariances of the errors of a group's mean scores, for any selection of its pairs."""

    group: Group
    sides: tuple[tuple[Floats, Floats, Ints], ...] | None
    """Of every task, item scores [pairs, draws, items] of x and y and the items' clusters; None:
    standard errors only."""

    @classmethod
    def of(cls, group: Group, items: ItemScores | None) -> Errors | None:
        """From item scores where every task has them, else from standard errors; else None."""
        sides = _item_arrays(group, items)
        known = np.isfinite(group.x_stderr).all() and np.isfinite(group.y_stderr).all()
        return cls(group, sides) if sides is not None or known else None

    def covariances(self, chosen: NDArray[np.bool_]) -> Floats:
        """[chosen pairs, 2, 2]; from item scores they are the same for all pairs."""
        pairs, tasks = int(chosen.sum()), len(self.group.tasks)
        if self.sides is None:
            made = np.zeros((pairs, 2, 2))
            for i, stderr in enumerate((self.group.x_stderr, self.group.y_stderr)):
                made[:, i, i] = (stderr[chosen] ** 2).sum(1) / tasks**2
            return made
        total = np.zeros((2, 2))  # the tasks' items are independent
        for (x, y, clusters), chance in zip(self.sides, self.group.chance, strict=True):
            own = error_covariance(x[chosen].mean(1), y[chosen].mean(1), clusters=clusters)
            for i, scores in enumerate((x, y)):
                if scores.shape[1] > 1:
                    own[i, i] += components(scores[chosen]).model_draw / scores.shape[1]
            total += own / (1.0 - chance) ** 2
        return np.broadcast_to(total / tasks**2, (pairs, 2, 2))

    def latent(self) -> Likelihood | None:
        """True scores' distribution, and the line of y on x without error in either; None where
        it cannot be estimated."""
        x, y = self.group.x.mean(1), self.group.y.mean(1)
        if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
            return None
        found = by_likelihood(x, y, self.covariances(np.ones(len(x), dtype=np.bool_)), test=False)
        return None if found.at_boundary else found


@dataclass(frozen=True)
class CorrectedCorrelation(Result):
    """Naive and corrected together, with the corrected one's interval."""

    corrected: Corrected
    interval: Interval
    p: float
    note: str

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        ends = {"low": self.interval.low, "high": self.interval.high, "p": self.p}
        return self.corrected.to_frame().assign(**ends, note=self.note)

    def sentence(self) -> str:
        """For a paper."""
        if math.isnan(self.interval.low):
            return self.corrected.sentence()
        ends = f"[{self.interval.low:.2f}, {self.interval.high:.2f}]"
        return f"{self.corrected.sentence()} Over families the corrected value lies in {ends}."


def corrected(
    group: Group, *, items: ItemScores | None, level: float = 0.95
) -> CorrectedCorrelation | None:
    """Across pairs; None if neither item scores nor standard errors are there."""
    errors = Errors.of(group, items)
    if errors is None:
        return None
    x, y = group.x.mean(1), group.y.mean(1)

    def on(chosen: NDArray[np.bool_]) -> Corrected:
        known = errors.covariances(chosen)
        moments = of_covariances(np.cov(x[chosen], y[chosen]), known.mean(0), int(chosen.sum()))
        if errors.sides is not None or math.isnan(moments.estimate):
            return moments
        return _by_likelihood(x[chosen], y[chosen], known, moments)

    found = on(np.ones(len(x), dtype=np.bool_))
    jackknife = family_jackknife(
        lambda rest: fisher_z(on(rest).estimate) if rest.sum() >= LEAST else math.nan,
        group.families,
    )
    interval, p, note = jackknife.interval(level=level, fisher=True)
    notes = [found.note or note]
    least = min(found.reliability_x, found.reliability_y)
    if least < MUCH_ERROR:
        notes.append(f"reliability {least:.2f}: no headline")
    return CorrectedCorrelation(found, interval, p, "; ".join(filter(None, notes)))


def _item_arrays(
    group: Group, items: ItemScores | None
) -> tuple[tuple[Floats, Floats, Ints], ...] | None:
    if items is None or len(group.pairs) < 3:
        return None
    sides = []
    for task in group.tasks:
        both = items.both(group.x_arm, group.y_arm, task, group.pairs)
        if both is None or len(both[0].items) < 2:
            return None
        x, y = both
        sides.append((x.scores, y.scores, items.clusters(task, x.items)))
    return tuple(sides)


def _by_likelihood(x: Floats, y: Floats, errors: Floats, moments: Corrected) -> Corrected:
    fit = by_likelihood(x, y, errors, test=False)
    if fit.at_boundary:
        why = "not estimable: the likelihood is greatest at the boundary"
        return replace(moments, method="likelihood", estimate=math.nan, note=why)
    return replace(moments, method="likelihood", estimate=fit.rho)
