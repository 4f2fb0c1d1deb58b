"""Correlations of several tasks taken together: their mean, how much they differ, and by what.

In: estimates (Fisher's z of tasks) with their variances, or their joint covariance. Out: `Meta`.

The same pairs stand behind every task, so estimates are dependent: pass the jackknife's joint
covariance (jackknife.py) and the mean is weighted, and its error found, with it. With variances
alone this is the usual random-effects meta-analysis, which then only describes.

Sources: DerSimonian & Laird 1986; Paule & Mandel 1982; Viechtbauer 2005 (REML); Hartung & Knapp
2001; Higgins, Thompson & Spiegelhalter 2009 (prediction interval).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from analysis.statistics.result import Result

Floats = NDArray[np.float64]
Method = Literal["REML", "DL", "PM"]


@dataclass(frozen=True)
class Meta(Result):
    """A random-effects summary on the scale of the estimates."""

    coefficients: Floats
    "The mean, or one value per column of the moderators."
    errors: Floats
    tau2: float
    "Variance between true values; 0 where the estimates differ no more than their errors do."
    q: float
    q_p: float
    i2: float
    "100 · max(0, (Q - df)/Q)"
    low: Floats
    high: Floats
    p: Floats
    predicted_low: float
    "Where the true value of another task would lie; nan with moderators."
    predicted_high: float
    n: int
    method: Method
    test: Literal["z", "hartung-knapp"]

    def to_frame(self) -> pd.DataFrame:
        """One row per coefficient."""
        return pd.DataFrame(
            {
                "estimate": self.coefficients, "stderr": self.errors, "low": self.low,
                "high": self.high, "p": self.p, "tau2": self.tau2, "q": self.q, "q_p": self.q_p,
                "i2": self.i2, "predicted_low": self.predicted_low,
                "predicted_high": self.predicted_high, "n": self.n, "method": self.method,
                "test": self.test,
            }
        )  # fmt: skip

    def sentence(self) -> str:
        """For a paper; estimates are taken for Fisher's z."""
        mean, low, high = (math.tanh(v[0]) for v in (self.coefficients, self.low, self.high))
        return (
            f"Mean r over {self.n} tasks = {mean:.2f} [{low:.2f}, {high:.2f}], another task would "
            f"lie in [{math.tanh(self.predicted_low):.2f}, {math.tanh(self.predicted_high):.2f}] "
            f"(τ² = {self.tau2:.3f}, I² = {self.i2:.0f} %)."
        )


def meta_analysis(
    estimates: ArrayLike,
    variances: ArrayLike,
    *,
    moderators: ArrayLike | None = None,
    method: Method = "REML",
    test: Literal["z", "hartung-knapp"] = "hartung-knapp",
    level: float = 0.95,
) -> Meta:
    """`variances` [k], or the joint covariance [k, k]; `moderators` [k, columns], the constant
    included."""
    y = np.asarray(estimates, dtype=float)
    known = np.asarray(variances, dtype=float)
    known = np.diag(known) if known.ndim == 1 else known
    k = len(y)
    x = np.ones((k, 1)) if moderators is None else np.asarray(moderators, float).reshape(k, -1)
    df = k - x.shape[1]
    if df < 1:
        raise ValueError(f"{k} estimates are too few for {x.shape[1]} coefficients")
    tau2 = {"REML": _reml, "DL": _dl, "PM": _pm}[method](y, known, x)
    beta, covariance, fit = _gls(y, known + tau2 * np.eye(k), x)
    q = _gls(y, known, x)[2]
    if test == "hartung-knapp":
        covariance = covariance * fit / df
        quantile, tail = float(stats.t.ppf(0.5 + level / 2, df)), stats.t(df).sf
    else:
        quantile, tail = float(stats.norm.ppf(0.5 + level / 2)), stats.norm.sf
    errors = np.sqrt(np.diag(covariance))
    spread = quantile * math.sqrt(float(covariance[0, 0]) + tau2)
    alone = moderators is None
    return Meta(
        coefficients=beta,
        errors=errors,
        tau2=tau2,
        q=q,
        q_p=float(stats.chi2.sf(q, df)),
        i2=100 * max(0.0, (q - df) / q) if q > 0 else 0.0,
        low=beta - quantile * errors,
        high=beta + quantile * errors,
        p=2 * tail(np.abs(beta) / errors),
        predicted_low=float(beta[0]) - spread if alone else math.nan,
        predicted_high=float(beta[0]) + spread if alone else math.nan,
        n=k,
        method=method,
        test=test,
    )


def _gls(y: Floats, v: Floats, x: Floats) -> tuple[Floats, Floats, float]:
    """(coefficients, their covariance, weighted sum of squared residuals)."""
    inverse = np.linalg.inv(v)
    covariance: Floats = np.asarray(np.linalg.inv(x.T @ inverse @ x), dtype=float)
    beta = covariance @ x.T @ inverse @ y
    apart = y - x @ beta
    return beta, covariance, float(apart @ inverse @ apart)


def _dl(y: Floats, v: Floats, x: Floats) -> float:
    """Method of moments: (Q - df) / tr(P), floored at 0."""
    inverse = np.linalg.inv(v)
    hat = inverse - inverse @ x @ np.linalg.inv(x.T @ inverse @ x) @ x.T @ inverse
    excess = float(y @ hat @ y) - float(len(y) - x.shape[1])
    return max(0.0, excess / float(np.trace(hat)))


def _pm(y: Floats, v: Floats, x: Floats) -> float:
    """The τ² at which the weighted residual sum of squares is what it should be."""
    df = len(y) - x.shape[1]

    def excess(tau2: float) -> float:
        return float(_gls(y, v + tau2 * np.eye(len(y)), x)[2] - df)

    if excess(0.0) <= 0:
        return 0.0
    top = float(np.var(y)) + 1.0
    while excess(top) > 0:
        top *= 2
    found: float = optimize.brentq(excess, 0.0, top, xtol=1e-14, rtol=1e-12)
    return found


def _reml(y: Floats, v: Floats, x: Floats) -> float:
    def loss(tau2: float) -> float:
        total = v + tau2 * np.eye(len(y))
        _, covariance, fit = _gls(y, total, x)
        return float(np.linalg.slogdet(total)[1] - np.linalg.slogdet(covariance)[1] + fit)

    top = 10 * (float(np.var(y)) + float(np.diag(v).mean()))
    found = optimize.minimize_scalar(loss, bounds=(0.0, top), method="bounded",
                                     options={"xatol": 1e-12})  # fmt: skip
    return 0.0 if loss(0.0) <= found.fun else float(found.x)
