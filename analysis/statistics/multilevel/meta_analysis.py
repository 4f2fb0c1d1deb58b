"""Random-effects meta-analysis of the correlations of several tasks.

In: estimates (Fisher's z of tasks) with their variances, or their joint covariance. Out:
`MetaAnalysis`: the mean, its heterogeneity, and coefficients of moderators.

The same pairs stand behind every task, so the estimates are dependent: pass the joint covariance of
the jackknife (jackknife.py), which then weights the mean and gives its standard error. With
variances alone this is the usual meta-analysis of independent studies and only descriptive here.

Sources: DerSimonian & Laird 1986; Paule & Mandel 1982; Viechtbauer 2005 (REML); Hartung & Knapp
2001; Higgins, Thompson & Spiegelhalter 2009 (prediction interval).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from analysis.distributions import (
    chi_squared_tail,
    normal_quantile,
    normal_tail,
    t_quantile,
    t_tail,
)
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
Method = Literal["REML", "DL", "PM"]
Test = Literal["z", "hartung-knapp"]
MAX_MEAN_CORRELATION = 0.99
"Bound of the mean correlation between tasks, which keeps their covariance invertible."


@dataclass(frozen=True)
class MetaAnalysis(Result):
    """A random-effects summary, on the scale of the estimates."""

    coefficients: Floats
    "The mean, or one coefficient per column of the moderators."
    errors: Floats
    "Standard errors of the coefficients."
    tau2: float
    "Variance of the true values; 0 where the estimates differ no more than by their errors."
    q: float
    "Cochran's Q."
    q_p: float
    i2: float
    "100 · max(0, (Q - df)/Q)"
    low: Floats
    high: Floats
    p: Floats
    predicted_low: float
    "Lower end of the prediction interval of another task's true value; nan with moderators."
    predicted_high: float
    n: int
    method: Method
    test: Test

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        return pd.DataFrame(
            {
                "estimate": self.coefficients,
                "stderr": self.errors,
                "low": self.low,
                "high": self.high,
                "p": self.p,
                "tau2": self.tau2,
                "q": self.q,
                "q_p": self.q_p,
                "i2": self.i2,
                "predicted_low": self.predicted_low,
                "predicted_high": self.predicted_high,
                "n": self.n,
                "method": self.method,
                "test": self.test,
            }
        )

    def sentence(self) -> str:
        """Describe the summary for a paper, the estimates being Fisher's z."""
        mean, low, high = (math.tanh(v[0]) for v in (self.coefficients, self.low, self.high))
        return (
            f"Mean r over {self.n} tasks = {mean:.2f} [{low:.2f}, {high:.2f}], prediction interval "
            f"of another task [{math.tanh(self.predicted_low):.2f}, "
            f"{math.tanh(self.predicted_high):.2f}] "
            f"(τ² = {self.tau2:.3f}, I² = {self.i2:.0f} %)."
        )


def meta_analysis(
    estimates: ArrayLike,
    variances: ArrayLike,
    *,
    moderators: ArrayLike | None = None,
    method: Method = "REML",
    test: Test = "hartung-knapp",
    level: float = 0.95,
) -> MetaAnalysis:
    """Summarise estimates [k] with variances [k], or a joint covariance [k, k].

    `moderators` [k, columns] includes the constant. `method` estimates τ²: restricted maximum
    likelihood, DerSimonian & Laird's or Paule & Mandel's. ValueError with no degree of freedom.
    """
    y = np.asarray(estimates, dtype=float)
    known = np.asarray(variances, dtype=float)
    known = np.diag(known) if known.ndim == 1 else known
    k = len(y)
    x = np.ones((k, 1)) if moderators is None else np.asarray(moderators, float).reshape(k, -1)
    df = k - x.shape[1]
    if df < 1:
        raise ValueError(f"{k} estimates are too few for {x.shape[1]} coefficients")
    tau2 = {"REML": _reml, "DL": _dersimonian_laird, "PM": _paule_mandel}[method](y, known, x)
    beta, covariance, fit = _gls(y, known + tau2 * np.eye(k), x)
    q = _gls(y, known, x)[2]
    tail: Callable[[Floats], Any]
    if test == "hartung-knapp":
        covariance = covariance * fit / df
        quantile, tail = float(t_quantile(0.5 + level / 2, df)), functools.partial(t_tail, df=df)
    else:
        quantile, tail = float(normal_quantile(0.5 + level / 2)), normal_tail
    errors = np.sqrt(np.diag(covariance))
    spread = quantile * math.sqrt(float(covariance[0, 0]) + tau2)
    only_mean = moderators is None
    return MetaAnalysis(
        coefficients=beta,
        errors=errors,
        tau2=tau2,
        q=q,
        q_p=float(chi_squared_tail(q, df)),
        i2=100 * max(0.0, (q - df) / q) if q > 0 else 0.0,
        low=beta - quantile * errors,
        high=beta + quantile * errors,
        p=2 * tail(np.abs(beta) / errors),
        predicted_low=float(beta[0]) - spread if only_mean else math.nan,
        predicted_high=float(beta[0]) + spread if only_mean else math.nan,
        n=k,
        method=method,
        test=test,
    )


def equicorrelated(covariance: Floats) -> Floats:
    """Covariance [k, k] of the same variances, with all correlations replaced by their mean."""
    deviations = np.sqrt(np.diag(covariance))
    k = len(deviations)
    if k == 1:
        return covariance
    correlations = covariance / np.outer(deviations, deviations)
    mean = float((correlations.sum() - k) / (k * (k - 1)))
    mean = min(max(mean, 0.0), MAX_MEAN_CORRELATION)
    equal = np.full((k, k), mean)
    np.fill_diagonal(equal, 1.0)
    return np.asarray(equal * np.outer(deviations, deviations))


def _gls(y: Floats, v: Floats, x: Floats) -> tuple[Floats, Floats, float]:
    """Generalised least squares: (coefficients, covariance, weighted residual sum of squares)."""
    inverse = np.linalg.inv(v)
    covariance: Floats = np.asarray(np.linalg.inv(x.T @ inverse @ x), dtype=float)
    beta = covariance @ x.T @ inverse @ y
    residuals = y - x @ beta
    return beta, covariance, float(residuals @ inverse @ residuals)


def _dersimonian_laird(y: Floats, v: Floats, x: Floats) -> float:
    """Moment estimate of τ²: (Q - df) / tr(P), floored at 0."""
    inverse = np.linalg.inv(v)
    hat = inverse - inverse @ x @ np.linalg.inv(x.T @ inverse @ x) @ x.T @ inverse
    excess = float(y @ hat @ y) - float(len(y) - x.shape[1])
    return max(0.0, excess / float(np.trace(hat)))


def _paule_mandel(y: Floats, v: Floats, x: Floats) -> float:
    """The τ² for which the weighted residual sum of squares equals its degrees of freedom."""
    df = len(y) - x.shape[1]

    def excess(tau2: float) -> float:
        return float(_gls(y, v + tau2 * np.eye(len(y)), x)[2] - df)

    if excess(0.0) <= 0:
        return 0.0
    top = float(np.var(y)) + 1.0
    while excess(top) > 0:
        top *= 2
    tau2: float = optimize.brentq(excess, 0.0, top, xtol=1e-14, rtol=1e-12)
    return tau2


def _reml(y: Floats, v: Floats, x: Floats) -> float:
    """Restricted maximum likelihood estimate of τ²."""

    def loss(tau2: float) -> float:
        total = v + tau2 * np.eye(len(y))
        _, covariance, fit = _gls(y, total, x)
        return float(np.linalg.slogdet(total)[1] - np.linalg.slogdet(covariance)[1] + fit)

    top = 10 * (float(np.var(y)) + float(np.diag(v).mean()))
    optimum = optimize.minimize_scalar(
        loss, bounds=(0.0, top), method="bounded", options={"xatol": 1e-12}
    )
    return 0.0 if loss(0.0) <= optimum.fun else float(optimum.x)
