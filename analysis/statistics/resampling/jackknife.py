"""Leave one family out: standard errors and intervals for any statistic, several at once.

In: a statistic of a selection of pairs, and the families. Out: `Jackknife`: estimates, replicates
and their joint covariance (CV3; MacKinnon, Nielsen & Webb 2023),

    V = (G-1)/G · Σ_g (θ_(-g) - θ̄)(θ_(-g) - θ̄)'.

The replicates of several statistics come from the same families left out, so V also holds how they
go together: of the same contrast on many tasks, or of a contrast and its control.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.data.families import Families
from analysis.statistics.interval import EVERY_NOISE, Interval

Floats = NDArray[np.float64]
LEAST_FAMILIES = 3
METHOD = "family jackknife"


@dataclass(frozen=True)
class Jackknife:
    """Estimates [k] and what each is without each family [G, k], on the scale of the statistic."""

    estimates: Floats
    replicates: Floats
    families: tuple[str, ...]

    @property
    def covariance(self) -> Floats:
        """[k, k]"""
        groups = len(self.families)
        apart = self.replicates - self.replicates.mean(0)
        return np.asarray((groups - 1) / groups * apart.T @ apart)

    def interval(
        self, which: int = 0, *, level: float = 0.95, fisher: bool = False
    ) -> tuple[Interval, float, str]:
        """(interval, two-sided p of 0, note); with `fisher` the ends go back through tanh."""
        method = f"{METHOD}, Fisher's z, t(G-1)" if fisher else f"{METHOD}, t(G-1)"
        nothing = Interval(math.nan, math.nan, level, method, EVERY_NOISE)
        groups = len(self.families)
        if groups < LEAST_FAMILIES:
            why = f"no interval: {groups} families, {LEAST_FAMILIES} are needed"
            return nothing, math.nan, why
        undefined = np.flatnonzero(~np.isfinite(self.replicates[:, which]))
        if not math.isfinite(self.estimates[which]):
            return nothing, math.nan, "not estimable"
        if len(undefined):
            why = f"no interval: not estimable without {self.families[undefined[0]]}"
            return nothing, math.nan, why
        error = math.sqrt(float(self.covariance[which, which]))
        if error == 0:
            return nothing, math.nan, "no interval: it does not change with any family"
        theta = float(self.estimates[which])
        reach = float(stats.t.ppf(0.5 + level / 2, groups - 1)) * error
        low, high = theta - reach, theta + reach
        if fisher:
            low, high = math.tanh(low), math.tanh(high)
        p = 2 * float(stats.t.sf(abs(theta) / error, groups - 1))
        return Interval(low, high, level, method, EVERY_NOISE), p, ""


def family_jackknife(
    statistic: Callable[[NDArray[np.bool_]], float | Floats], families: Families
) -> Jackknife:
    """Evaluates `statistic` on all pairs and without each family; nan where it is undefined."""
    everyone = np.ones(len(families.labels), dtype=np.bool_)
    estimates = np.atleast_1d(np.asarray(statistic(everyone), dtype=float))
    replicates = [
        np.atleast_1d(np.asarray(statistic(rest), dtype=float))
        for _, rest in families.without_each()
    ]
    return Jackknife(estimates, np.stack(replicates), families.names)


def fisher_z(r: float) -> float:
    """atanh r, and nan where |r| is 1 or more.

    >>> fisher_z(1.0)
    nan
    """
    return math.atanh(r) if abs(r) < 1 else math.nan
