"""The disattenuated correlation across pairs, with an interval clustered by family.

In: mean scores [pairs] of both arms, the families, and the `ErrorVariance` of the scores. Out:
`DisattenuatedCorrelation`. The jackknife goes through the whole estimate: error variances are
estimated again without each family.

With item scores the estimator is that of moments (moments.py) and split halves (split_halves.py)
are its check; with standard errors alone it is maximum likelihood (likelihood.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.correlation.estimands import MIN_POINTS
from analysis.statistics.disattenuation.error_variance import ErrorVariance
from analysis.statistics.disattenuation.likelihood import TrueScores, by_likelihood
from analysis.statistics.disattenuation.moments import Disattenuation, of_covariances
from analysis.statistics.disattenuation.split_halves import (
    SPLITS,
    HalfScores,
    half_scores,
    of_halves,
)
from analysis.statistics.families import Families
from analysis.statistics.interval import Interval
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
LOW_RELIABILITY = 0.5
"Reliability below which a disattenuated correlation is flagged."
SEED = 0


@dataclass(frozen=True)
class DisattenuatedCorrelation(Result):
    """A disattenuated correlation with its interval."""

    disattenuation: Disattenuation
    interval: Interval
    p: float
    note: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row."""
        ends = {"low": self.interval.low, "high": self.interval.high, "p": self.p}
        return self.disattenuation.to_frame().assign(**ends, note=self.note)

    def sentence(self) -> str:
        """Describe the correlation for a paper."""
        sentence = self.disattenuation.sentence()
        if math.isnan(self.interval.low):
            return sentence
        low, high = self.interval.low, self.interval.high
        return f"{sentence} Disattenuated 95 % CI clustered by family: [{low:.2f}, {high:.2f}]."


def disattenuate(
    x: Floats, y: Floats, families: Families, errors: ErrorVariance, *, level: float = 0.95
) -> DisattenuatedCorrelation:
    """Disattenuate the correlation of mean scores x and y [pairs]."""

    def estimate(selected: NDArray[np.bool_]) -> Disattenuation:
        covariances = errors.covariances(selected)
        several = selected.sum() > 1
        measured = np.cov(x[selected], y[selected]) if several else np.full((2, 2), np.nan)
        moments = of_covariances(measured, covariances.mean(0), int(selected.sum()))
        if errors.tasks is not None or math.isnan(moments.estimate):
            return moments
        return _maximum_likelihood(x[selected], y[selected], covariances, moments)

    result = _with_interval(estimate, families, level)
    smallest = min(result.disattenuation.reliability_x, result.disattenuation.reliability_y)
    if smallest < LOW_RELIABILITY:
        flag = f"low reliability {smallest:.2f}"
        return replace(result, note="; ".join(filter(None, (result.note, flag))))
    return result


def disattenuate_by_halves(
    x: Floats, y: Floats, families: Families, errors: ErrorVariance, *, level: float = 0.95
) -> DisattenuatedCorrelation | None:
    """Disattenuate the correlation of x and y [pairs] by split halves of items and draws.

    None without item scores, or where all items of a task are in one cluster.
    """
    if errors.tasks is None or any(len(np.unique(task.clusters)) < 2 for task in errors.tasks):
        return None
    rng = np.random.default_rng(SEED)
    total: list[Floats] = []
    for task in errors.tasks:
        halves = half_scores(task.x, task.y, clusters=task.clusters, splits=SPLITS, rng=rng)
        total.append(np.stack([halves.x, halves.y]) / (1.0 - task.chance))
    mean_halves = HalfScores(*np.mean(total, axis=0))

    def estimate(selected: NDArray[np.bool_]) -> Disattenuation:
        return of_halves(mean_halves.select(selected), np.cov(x[selected], y[selected]))

    return _with_interval(estimate, families, level)


def latent_scores(x: Floats, y: Floats, errors: ErrorVariance) -> TrueScores | None:
    """Distribution of the true scores behind x and y [pairs]; None where it is not estimable."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    covariances = errors.covariances(np.ones(len(x), dtype=np.bool_))
    fit = by_likelihood(x, y, covariances, test=False)
    return None if fit.at_boundary else fit


def _with_interval(
    estimate: Callable[[NDArray[np.bool_]], Disattenuation], families: Families, level: float
) -> DisattenuatedCorrelation:
    """Evaluate on all pairs, and jackknife over families."""
    result = estimate(np.ones(len(families.labels), dtype=np.bool_))
    jackknife = family_jackknife(
        lambda remaining: (
            fisher_z(estimate(remaining).estimate) if remaining.sum() >= MIN_POINTS else math.nan
        ),
        families,
    )
    interval, p, note = jackknife.interval(level=level, fisher=True)
    return DisattenuatedCorrelation(result, interval, p, result.note or note)


def _maximum_likelihood(
    x: Floats, y: Floats, covariances: Floats, moments: Disattenuation
) -> Disattenuation:
    fit = by_likelihood(x, y, covariances, test=False)
    if fit.at_boundary:
        note = "not estimable: the likelihood is greatest at the boundary"
        return replace(moments, method="likelihood", estimate=math.nan, note=note)
    return replace(moments, method="likelihood", estimate=fit.rho)
