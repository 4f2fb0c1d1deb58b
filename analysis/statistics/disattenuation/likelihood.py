"""Correlation of true scores by maximum likelihood, from mean scores with known error covariances.

In: both sides' mean scores [models] and the covariances of their errors [models, 2, 2]. Out:
`Likelihood`: the distribution of true scores, the correlation's likelihood-ratio test, and the line
of y on x without error in either (for figures). The errors may differ from model to model.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.disattenuation.moments import correlation_of
from analysis.statistics.result import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Likelihood(Result):
    """Bivariate normal true scores with known error covariances, fitted."""

    means: Floats
    "[2]"
    mean_errors: Floats
    "Their standard errors [2]."
    covariance: Floats
    "Of the true scores [2, 2]."
    rho: float
    p: float
    "Of no correlation, by the likelihood ratio."
    slope: float
    "Of y on x, both without error: ρ τ_y / τ_x."
    log_likelihood: float
    at_boundary: bool
    "Whether a variance is 0 or |ρ| 1: then ρ says little."

    def to_frame(self) -> pd.DataFrame:
        """One row, matrices entry by entry."""
        fields = asdict(self)
        (xx, xy), (_, yy) = fields.pop("covariance")
        fields["mean_x"], fields["mean_y"] = fields.pop("means")
        fields["mean_x_error"], fields["mean_y_error"] = fields.pop("mean_errors")
        return pd.DataFrame([{**fields, "variance_x": xx, "covariance": xy, "variance_y": yy}])

    def sentence(self) -> str:
        """For a paper."""
        edge = " at the boundary of what is possible" if self.at_boundary else ""
        test = "" if math.isnan(self.p) else f" (p = {self.p:.3f}, likelihood ratio)"
        return (
            f"True scores correlate {self.rho:.2f}{edge}{test}; a point of x is worth "
            f"{self.slope:.2f} of y, both without measurement error."
        )


def by_likelihood(
    x: ArrayLike, y: ArrayLike, errors: ArrayLike, *, restricted: bool = False, test: bool = True
) -> Likelihood:
    """From mean scores [models] and their error covariances [models, 2, 2]; `p` only if `test`.

    y_m ~ N(μ, T + E_m), maximised over μ and T (Fuller 1987; van Houwelingen et al. 2002).
    """
    from scipy import optimize, stats

    data = np.column_stack([np.asarray(x, float), np.asarray(y, float)])
    known = np.asarray(errors, dtype=float)
    if known.shape != (len(data), 2, 2):
        raise ValueError(f"errors must be [{len(data)}, 2, 2], found {list(known.shape)}")
    scale = data.std(0) + 1e-12
    units = data / scale
    noise = known / np.outer(scale, scale)

    def fit(free: bool) -> Any:
        def loss(parameters: Floats) -> float:
            return -_likelihood(units, noise, _covariance(parameters, free), restricted)[0]

        first, *others = _starts(np.cov(units.T) - noise.mean(0), free)
        found = optimize.minimize(loss, first, method="BFGS", options={"gtol": 1e-6})
        if abs(math.tanh(found.x[-1])) > 0.99 or not np.isfinite(found.x).all():
            # At the edge the surface is flat: begin elsewhere too, and go on without slopes.
            more = [optimize.minimize(loss, start, method="BFGS") for start in others]
            best = min([found, *more], key=lambda result: result.fun)
            polish = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
            found = optimize.minimize(loss, best.x, method="Nelder-Mead", options=polish)
        return found

    best = fit(True)
    p = math.nan
    if test:
        p = float(stats.chi2.sf(max(0.0, 2 * (fit(False).fun - best.fun)), 1))
    within = _covariance(best.x, True)
    _, mu, information = _likelihood(units, noise, within, restricted)
    covariance = within * np.outer(scale, scale)
    rho = correlation_of(within)
    boundary = bool(min(np.diag(within)) < 1e-6 or abs(rho) > 1 - 1e-6)
    return Likelihood(
        means=mu * scale,
        mean_errors=np.sqrt(np.diag(np.linalg.inv(information))) * scale,
        covariance=covariance,
        rho=rho,
        p=p,
        slope=float(covariance[0, 1] / covariance[0, 0]) if covariance[0, 0] > 0 else math.nan,
        log_likelihood=-float(best.fun) - len(data) * float(np.log(scale).sum()),
        at_boundary=boundary,
    )


def _starts(moments: Floats, free: bool) -> list[list[float]]:
    """Where to begin: at the moments, and with |ρ| large."""
    a, b = (math.log(max(float(moments[i, i]), 0.02)) / 2 for i in (0, 1))
    rho = float(moments[0, 1]) / math.exp(a + b)
    own = math.atanh(min(max(rho, -0.95), 0.95))
    return [[a, b, own], [a, b, 1.5 if own < 0 else -1.5]] if free else [[a, b, 0.0]]


def _covariance(parameters: Floats, free: bool) -> Floats:
    """Standard deviations by their logarithms, the correlation by its transform."""
    # A score without error makes a variance of 0 infinitely likely: a thousandth is small enough.
    a, b = (math.exp(min(max(value, -7.0), 7.0)) for value in parameters[:2])
    off = (1 - 1e-7) * math.tanh(parameters[2]) * a * b if free else 0.0
    return np.array([[a * a, off], [off, b * b]])


def _likelihood(
    data: Floats, noise: Floats, true: Floats, restricted: bool
) -> tuple[float, Floats, Floats]:
    """(log-likelihood, means, their information); inverses of 2 by 2 written out, for speed."""
    a, b, c = (true[i, j] + noise[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = a * c - b * b
    ia, ib, ic = c / determinant, -b / determinant, a / determinant
    information = np.array([[ia.sum(), ib.sum()], [ib.sum(), ic.sum()]])
    x, y = data[:, 0], data[:, 1]
    (jxx, jxy), (_, jyy) = information
    of_x, of_y = ia @ x + ib @ y, ib @ x + ic @ y
    mu = np.array([jyy * of_x - jxy * of_y, jxx * of_y - jxy * of_x]) / (jxx * jyy - jxy**2)
    x, y = x - mu[0], y - mu[1]
    fit = float(ia @ (x * x) + 2 * (ib @ (x * y)) + ic @ (y * y))
    value = -0.5 * (float(np.log(determinant).sum()) + fit + data.size * math.log(2 * math.pi))
    if restricted:
        value -= 0.5 * (math.log(jxx * jyy - jxy**2) - 2 * math.log(2 * math.pi))
    return value, mu, information
