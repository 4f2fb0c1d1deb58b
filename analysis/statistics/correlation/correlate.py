"""The correlation of two arms' scores, with an interval and a p-value clustered by model family.

In: scores x and y, [pairs] or [pairs, tasks], and the pairs' `Families`. Out: `Correlation`.

The interval is a delete-one-family jackknife (CV3; Cameron, Gelbach & Miller 2008; MacKinnon,
Nielsen & Webb 2023). With θ = atanh r and θ_(-g) its value without family g,

    V = (G-1)/G · Σ_g (θ_(-g) - mean θ_(-g))²,      tanh(θ ± t_{G-1} √V).

Across pairs p is that of the wild cluster restricted bootstrap (wild_bootstrap.py; of ranks for
Spearman's ρ), which keeps its level with few families; for the other estimands and for Kendall's τ
it is that of θ/√V under t(G-1). In simulations with 6 to 15 families the 95 % interval covers .94
to .97, Fisher's .86 to .91. Undefined values are nan with a note; nothing is clipped.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.correlation.coefficients import SYMBOLS, Coefficient, ranks
from analysis.statistics.correlation.estimands import Estimand, estimate, estimate_without
from analysis.statistics.families import Families
from analysis.statistics.interval import FAMILY_NOISE, Interval, join_noise
from analysis.statistics.resampling.jackknife import MIN_FAMILIES, Jackknife
from analysis.statistics.resampling.wild_bootstrap import wild_test
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
METHOD = "family jackknife, Fisher's z, t(G-1)"


@dataclass(frozen=True)
class Correlation(Result):
    """A correlation; nan with a note where it cannot be estimated."""

    estimand: Estimand
    coefficient: Coefficient
    estimate: float
    interval: Interval
    p: float
    "Two-sided p-value of no correlation."
    p_method: str
    jackknife_p: float
    "Two-sided p-value from the standard error of the interval."
    smallest_p: float
    "Smallest p-value attainable with this number of families."
    n_pairs: int
    n_families: int
    n_tasks: int
    note: str = ""
    "Why a number is missing."

    def to_frame(self) -> pd.DataFrame:
        """Return one row, the interval as columns low, high, level, method and covers."""
        fields = asdict(self)
        interval = fields.pop("interval")
        covers = join_noise(interval.pop("covers"))
        return pd.DataFrame([{**fields, **interval, "covers": covers}])

    def sentence(self) -> str:
        """Describe the correlation for a paper."""
        symbol = SYMBOLS[self.coefficient]
        if math.isnan(self.estimate):
            return f"{symbol} could not be estimated: {self.note}."
        ends = "interval not estimable"
        if not math.isnan(self.interval.low):
            level = round(100 * self.interval.level)
            low, high = self.interval.low, self.interval.high
            ends = f"{level} % CI clustered by family [{low:.2f}, {high:.2f}]"
        test = "" if math.isnan(self.p) else f", p = {self.p:.3f} ({self.p_method})"
        return (
            f"{symbol} {self.estimand.replace('_', ' ')} = {self.estimate:.2f}, {ends}{test}, "
            f"{self.n_pairs} pairs of {self.n_families} families."
        )


def correlate(
    x: ArrayLike,
    y: ArrayLike,
    families: Families,
    *,
    estimand: Estimand = "across_pairs",
    coefficient: Coefficient = "pearson",
    level: float = 0.95,
    seed: int = 0,
) -> Correlation:
    """Correlate x and y, [pairs] or [pairs, tasks].

    `seed` seeds the bootstrap, and is recorded, where there are too many families to enumerate all
    sign vectors. ValueError if the shapes differ or a value is not finite.

    >>> x, y = [0.1, 0.4, 0.5, 0.9, 0.7], [0.2, 0.3, 0.6, 0.8, 0.4]
    >>> round(correlate(x, y, Families.of("aabbc")).estimate, 6)
    0.835068
    """
    xs, ys = _validated(x, y, families)
    value, note = estimate(xs, ys, estimand, coefficient)
    interval = Interval(math.nan, math.nan, level, METHOD, FAMILY_NOISE)
    p, jackknife_p, p_method, smallest = math.nan, math.nan, "", math.nan
    if not note:
        interval, jackknife_p, note = _jackknife(
            xs, ys, families, estimand, coefficient, value, level
        )
        p, p_method = jackknife_p, "family jackknife"
    if not note and estimand == "across_pairs" and coefficient != "kendall":
        x_means, y_means = xs.mean(1), ys.mean(1)
        if coefficient == "spearman":
            x_means, y_means = ranks(x_means), ranks(y_means)
        test = wild_test(x_means, y_means, families, rng=np.random.default_rng(seed))
        draws = "all" if test.enumerated else f"{test.draws} random (seed {seed})"
        p, smallest = test.p, test.smallest_p
        p_method = f"wild cluster restricted bootstrap, {draws} sign vectors"
    return Correlation(
        estimand=estimand,
        coefficient=coefficient,
        estimate=value,
        interval=interval,
        p=p,
        p_method=p_method,
        jackknife_p=jackknife_p,
        smallest_p=smallest,
        n_pairs=len(xs),
        n_families=families.count,
        n_tasks=xs.shape[1],
        note=note,
    )


def _validated(x: ArrayLike, y: ArrayLike, families: Families) -> tuple[Floats, Floats]:
    """Return x and y as [pairs, tasks]; ValueError unless shapes agree and values are finite."""
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not len(xs) == len(ys) == len(families.labels):
        lengths = f"{len(xs)}, {len(ys)} and {len(families.labels)}"
        raise ValueError(f"x, y and families must have one value per pair; found {lengths}")
    xs, ys = (side[:, None] if side.ndim == 1 else side for side in (xs, ys))
    if xs.shape != ys.shape:
        raise ValueError(f"x and y must have the same tasks; found shapes {xs.shape}, {ys.shape}")
    finite = np.isfinite(xs) & np.isfinite(ys)
    if not finite.all():
        pair, task = (int(i) for i in np.argwhere(~finite)[0])
        where = f"pair {pair}" + (f", task {task}," if xs.shape[1] > 1 else "")
        values = f"x={xs[pair, task]}, y={ys[pair, task]}"
        raise ValueError(f"scores must be finite; {where} has {values}")
    return xs, ys


def _jackknife(
    xs: Floats,
    ys: Floats,
    families: Families,
    estimand: Estimand,
    kind: Coefficient,
    value: float,
    level: float,
) -> tuple[Interval, float, str]:
    """Return (interval, p, note)."""
    undefined = Interval(math.nan, math.nan, level, METHOD, FAMILY_NOISE)
    if families.count < MIN_FAMILIES:
        reason = f"no interval: {families.count} families, {MIN_FAMILIES} are needed"
        return undefined, math.nan, reason
    if abs(value) == 1:
        return undefined, math.nan, f"no interval: the estimate is {value:g}"
    replicates = []
    left_out = [~remaining for _, remaining in families.without_each()]
    estimates = estimate_without(xs, ys, estimand, kind, left_out)
    for family, (replicate, reason) in zip(families.names, estimates, strict=True):
        if reason or abs(replicate) == 1:
            reason = reason or f"{replicate:g}"
            return undefined, math.nan, f"no interval: without {family} it is {reason}"
        replicates.append([math.atanh(replicate)])
    jackknife = Jackknife(np.array([math.atanh(value)]), np.array(replicates), families.names)
    return jackknife.interval(level=level, fisher=True)
