"""What a correlation across pairs is made of: size, families, and what is left.

In: two arrays, covariates or families. Out: `PartialCorrelation`, `WithinBetween`.

Larger models are better at everything, and models of one family are alike: both make x and y rise
together without any tie between a model's own two scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.data.families import Families
from analysis.statistics.correlation.estimands import Coefficient, coefficient_of, ranks
from analysis.statistics.result import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PartialCorrelation(Result):
    """Of x and y at equal covariates."""

    estimate: float
    low: float
    high: float
    p: float
    "Two-sided, for independent pairs; families need the jackknife (`theta.py`)."
    df: int
    n_covariates: int
    coefficient: Coefficient

    def sentence(self) -> str:
        """For a paper."""
        name = {"pearson": "r", "spearman": "ρ", "kendall": "τ"}[self.coefficient]
        return (
            f"{name} = {self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}] given "
            f"{self.n_covariates} covariates (p = {self.p:.3f}, {self.df} degrees of freedom, "
            "pairs taken for independent)."
        )


def residuals(values: ArrayLike, covariates: ArrayLike) -> Floats:
    """What covariates [n] or [n, k] leave of values by least squares."""
    y = np.asarray(values, float)
    z = np.asarray(covariates, float)
    z = z[:, None] if z.ndim == 1 else z
    design = np.column_stack([np.ones(len(y)), z])
    return np.asarray(y - design @ np.linalg.lstsq(design, y, rcond=None)[0])


def partial_correlation(
    x: ArrayLike,
    y: ArrayLike,
    covariates: ArrayLike,
    *,
    coefficient: Coefficient = "pearson",
    level: float = 0.95,
) -> PartialCorrelation:
    """Correlation of residuals, n - 2 - k degrees of freedom; Spearman's ranks all first.

    Its interval is Fisher's with 1/√(n - k - 3), for Spearman widened by Bonett & Wright (2000).
    """
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    z = np.asarray(covariates, float).reshape(len(xs), -1)
    if coefficient == "spearman":
        xs, ys, z = ranks(xs), ranks(ys), np.column_stack([ranks(column) for column in z.T])
    n, k = z.shape
    df = n - 2 - k
    if df < 2:
        raise ValueError(f"{n} pairs are too few for {k} covariates")
    r = coefficient_of(residuals(xs, z), residuals(ys, z), "pearson")
    if math.isnan(r) or abs(r) == 1:
        return PartialCorrelation(r, math.nan, math.nan, math.nan, df, k, coefficient)
    t = r * math.sqrt(df / (1 - r * r))
    widened = 1 + r * r / 2 if coefficient == "spearman" else 1.0
    reach = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt(widened / (df - 1))
    low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
    return PartialCorrelation(r, low, high, 2 * float(stats.t.sf(abs(t), df)), df, k, coefficient)


@dataclass(frozen=True)
class WithinBetween(Result):
    """The pooled correlation, that of family means, and that within families."""

    pooled: float
    between: float
    within: float
    "Of deviations from family means: repeated-measures correlation (Bakdash & Marusich 2017)."
    within_low: float
    within_high: float
    within_p: float
    within_df: int
    n_pairs: int
    n_families: int
    n_within: int
    "Pairs in families of two or more: only they say anything within."

    def sentence(self) -> str:
        """For a paper."""
        return (
            f"r = {self.pooled:.2f} over all pairs, {self.between:.2f} between the means of "
            f"{self.n_families} families, {self.within:.2f} [{self.within_low:.2f}, "
            f"{self.within_high:.2f}] within families ({self.n_within} pairs)."
        )


def within_between(
    x: ArrayLike, y: ArrayLike, families: Families, *, level: float = 0.95
) -> WithinBetween:
    """All three; nan where one is undefined."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    members = families.members()
    sizes = members.sum(1)
    mx, my = members @ xs / sizes, members @ ys / sizes
    within = coefficient_of(xs - mx @ members, ys - my @ members, "pearson")
    shared = int(sizes[sizes > 1].sum())
    # A family of one adds a point at the origin and no degree of freedom.
    df = len(xs) - families.count - 1
    low = high = p = math.nan
    if df >= 3 and abs(within) < 1:
        reach = float(stats.norm.ppf(0.5 + level / 2)) / math.sqrt(df - 1)
        low, high = math.tanh(math.atanh(within) - reach), math.tanh(math.atanh(within) + reach)
        t = within * math.sqrt(df / (1 - within**2))
        p = 2 * float(stats.t.sf(abs(t), df))
    return WithinBetween(
        pooled=coefficient_of(xs, ys, "pearson"),
        between=coefficient_of(mx, my, "pearson") if families.count > 2 else math.nan,
        within=within if df >= 1 else math.nan,
        within_low=low,
        within_high=high,
        within_p=p,
        within_df=df,
        n_pairs=len(xs),
        n_families=families.count,
        n_within=shared,
    )
