"""Delete-one-family jackknife: standard errors and intervals of any statistics, jointly.

In: a statistic of a selection of pairs, and the families. Out: `Jackknife`: estimates, replicates
and their joint covariance (CV3; MacKinnon, Nielsen & Webb 2023),

    V = (G-1)/G · Σ_g (θ_(-g) - θ̄)(θ_(-g) - θ̄)'.

The replicates of several statistics leave out the same families, so V also holds their covariances:
of one contrast on many tasks, or of a contrast and its control.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.distributions import t_quantile, t_tail
from analysis.statistics.families import Families
from analysis.statistics.interval import FAMILY_NOISE, Interval

Floats = NDArray[np.float64]
MIN_FAMILIES = 3
"Families that an interval needs."
METHOD = "family jackknife"


@dataclass(frozen=True)
class Jackknife:
    """Estimates and their delete-one-family replicates, on the scale of the statistics."""

    estimates: Floats
    "[k]"
    replicates: Floats
    "[families, k]: each statistic without each family."
    families: tuple[str, ...]

    @property
    def covariance(self) -> Floats:
        """Joint covariance [k, k] of the estimates."""
        groups = len(self.families)
        deviations = self.replicates - self.replicates.mean(0)
        return np.asarray((groups - 1) / groups * deviations.T @ deviations)

    def interval(
        self, index: int = 0, *, level: float = 0.95, fisher: bool = False
    ) -> tuple[Interval, float, str]:
        """Return (interval, two-sided p of zero, note) of one statistic.

        With `fisher` the statistic is a Fisher transform, and the ends are transformed back.
        """
        method = f"{METHOD}, Fisher's z, t(G-1)" if fisher else f"{METHOD}, t(G-1)"
        undefined = Interval(math.nan, math.nan, level, method, FAMILY_NOISE)
        groups = len(self.families)
        if groups < MIN_FAMILIES:
            reason = f"no interval: {groups} families, {MIN_FAMILIES} are needed"
            return undefined, math.nan, reason
        missing = np.flatnonzero(~np.isfinite(self.replicates[:, index]))
        if not math.isfinite(self.estimates[index]):
            return undefined, math.nan, "not estimable"
        if len(missing):
            reason = f"no interval: not estimable without {self.families[missing[0]]}"
            return undefined, math.nan, reason
        if np.ptp(self.replicates[:, index]) == 0:
            return undefined, math.nan, "no interval: no family changes the estimate"
        error = math.sqrt(float(self.covariance[index, index]))
        theta = float(self.estimates[index])
        reach = float(t_quantile(0.5 + level / 2, groups - 1)) * error
        low, high = theta - reach, theta + reach
        if fisher:
            low, high = math.tanh(low), math.tanh(high)
        p = 2 * float(t_tail(abs(theta) / error, groups - 1))
        return Interval(low, high, level, method, FAMILY_NOISE), p, ""


def family_jackknife(
    statistic: Callable[[NDArray[np.bool_]], float | Floats], families: Families
) -> Jackknife:
    """Evaluate `statistic` on all pairs and without each family.

    `statistic` takes a boolean selection [pairs] and returns a number or an array [k], nan where it
    is undefined.
    """
    everyone = np.ones(len(families.labels), dtype=np.bool_)
    estimates = np.atleast_1d(np.asarray(statistic(everyone), dtype=float))
    replicates = [
        np.atleast_1d(np.asarray(statistic(remaining), dtype=float))
        for _, remaining in families.without_each()
    ]
    return Jackknife(estimates, np.stack(replicates), families.names)


def fisher_z(r: float) -> float:
    """Fisher's transform atanh r; nan where |r| is 1 or more.

    >>> fisher_z(1.0)
    nan
    """
    return math.atanh(r) if abs(r) < 1 else math.nan
