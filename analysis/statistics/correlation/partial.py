"""Partial correlation: the correlation across pairs given covariates such as model size.

In: two arrays and covariates. Out: `PartialCorrelation`. Larger models are better at everything,
so x and y rise together with size even if neither score of a model predicts the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distributions import normal_quantile, t_tail
from analysis.statistics.correlation.coefficients import (
    SYMBOLS,
    Coefficient,
    coefficient_of,
    ranks,
)
from analysis.statistics.result import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PartialCorrelation(Result):
    """The correlation of x and y given covariates."""

    estimate: float
    low: float
    high: float
    p: float
    "Two-sided, for independent pairs; for pairs in families use `family_jackknife`."
    df: int
    n_covariates: int
    coefficient: Coefficient

    def sentence(self) -> str:
        """Describe the correlation for a paper."""
        return (
            f"{SYMBOLS[self.coefficient]} = {self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}] "
            f"given {self.n_covariates} covariates (p = {self.p:.3f}, {self.df} degrees of "
            "freedom, pairs treated as independent)."
        )


def residuals(values: ArrayLike, covariates: ArrayLike) -> Floats:
    """Residuals [n] of values [n] after least squares on covariates, [n] or [n, k]."""
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
    """Correlate the residuals of x and y [n] given covariates, [n] or [n, k].

    The test has n - 2 - k degrees of freedom. The interval is Fisher's with standard error
    1/√(n - k - 3); for Spearman's ρ, where everything is ranked first, it is widened as Bonett &
    Wright (2000) do. ValueError with fewer than two degrees of freedom.
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
    widening = 1 + r * r / 2 if coefficient == "spearman" else 1.0
    reach = float(normal_quantile(0.5 + level / 2)) * math.sqrt(widening / (df - 1))
    low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
    return PartialCorrelation(r, low, high, 2 * float(t_tail(abs(t), df)), df, k, coefficient)
