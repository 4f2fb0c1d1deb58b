"""Disattenuated correlation by maximum likelihood, from mean scores with known error covariances.

In: mean scores [models] of both arms and their error covariances [models, 2, 2], which may differ
between models. Out: `TrueScores`: the fitted distribution of true scores, a likelihood-ratio test
of their correlation, and the line of true y on true x (for figures).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.distributions import chi_squared_tail
from analysis.statistics.disattenuation.moments import correlation_of
from analysis.statistics.result import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrueScores(Result):
    """The fitted bivariate normal distribution of true scores."""

    means: Floats
    "[2]"
    mean_errors: Floats
    "Standard errors of the means [2]."
    covariance: Floats
    "Covariance of the true scores [2, 2]."
    rho: float
    "Correlation of the true scores."
    p: float
    "Likelihood-ratio p-value of no correlation; nan if it was not requested."
    slope: float
    "Slope of true y on true x, ρ τ_y / τ_x."
    log_likelihood: float
    at_boundary: bool
    "Whether a variance is 0 or |ρ| is 1, where ρ carries little information."

    def to_frame(self) -> pd.DataFrame:
        """Return one row, vectors and matrices entry by entry."""
        fields = asdict(self)
        (xx, xy), (_, yy) = fields.pop("covariance")
        fields["mean_x"], fields["mean_y"] = fields.pop("means")
        fields["mean_x_error"], fields["mean_y_error"] = fields.pop("mean_errors")
        return pd.DataFrame([{**fields, "variance_x": xx, "covariance": xy, "variance_y": yy}])

    def sentence(self) -> str:
        """Describe the fit for a paper."""
        edge = " (at the boundary)" if self.at_boundary else ""
        test = "" if math.isnan(self.p) else f" (p = {self.p:.3f}, likelihood ratio)"
        return (
            f"The correlation of true scores is {self.rho:.2f}{edge}{test}; the slope of true y on "
            f"true x is {self.slope:.2f}."
        )


def by_likelihood(
    x: ArrayLike, y: ArrayLike, errors: ArrayLike, *, restricted: bool = False, test: bool = True
) -> TrueScores:
    """Fit y_m ~ N(μ, T + E_m) over μ and T (Fuller 1987; van Houwelingen et al. 2002).

    `x` and `y` are mean scores [models], `errors` their error covariances E [models, 2, 2];
    `restricted` maximises the restricted likelihood; `test` also computes `p`. ValueError if the
    shapes disagree.
    """
    from scipy import optimize

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
        optimum = optimize.minimize(loss, first, method="BFGS", options={"gtol": 1e-6})
        if abs(math.tanh(optimum.x[-1])) > 0.99 or not np.isfinite(optimum.x).all():
            # The likelihood is flat near the boundary: use other starts, then no gradient.
            more = [optimize.minimize(loss, start, method="BFGS") for start in others]
            best = min([optimum, *more], key=lambda result: result.fun)
            options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
            optimum = optimize.minimize(loss, best.x, method="Nelder-Mead", options=options)
        return optimum

    best = fit(True)
    p = math.nan
    if test:
        p = float(chi_squared_tail(max(0.0, 2 * (fit(False).fun - best.fun)), 1))
    within = _covariance(best.x, True)
    _, mu, information = _likelihood(units, noise, within, restricted)
    covariance = within * np.outer(scale, scale)
    rho = correlation_of(within)
    boundary = bool(min(np.diag(within)) < 1e-6 or abs(rho) > 1 - 1e-6)
    return TrueScores(
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
    """Starting values: the moments, and a large |ρ|."""
    a, b = (math.log(max(float(moments[i, i]), 0.02)) / 2 for i in (0, 1))
    rho = float(moments[0, 1]) / math.exp(a + b)
    z = math.atanh(min(max(rho, -0.95), 0.95))
    return [[a, b, z], [a, b, 1.5 if z < 0 else -1.5]] if free else [[a, b, 0.0]]


def _covariance(parameters: Floats, free: bool) -> Floats:
    """Covariance [2, 2] from the log standard deviations and Fisher's z of the correlation."""
    # Scores without error make a variance of 0 infinitely likely: bound the deviations below.
    a, b = (math.exp(min(max(value, -7.0), 7.0)) for value in parameters[:2])
    off = (1 - 1e-7) * math.tanh(parameters[2]) * a * b if free else 0.0
    return np.array([[a * a, off], [off, b * b]])


def _likelihood(
    data: Floats, noise: Floats, true: Floats, restricted: bool
) -> tuple[float, Floats, Floats]:
    """Return (log-likelihood, means, their information), with 2 by 2 inverses written out."""
    a, b, c = (true[i, j] + noise[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = a * c - b * b
    ia, ib, ic = c / determinant, -b / determinant, a / determinant
    information = np.array([[ia.sum(), ib.sum()], [ib.sum(), ic.sum()]])
    x, y = data[:, 0], data[:, 1]
    (jxx, jxy), (_, jyy) = information
    bx, by = ia @ x + ib @ y, ib @ x + ic @ y
    mu = np.array([jyy * bx - jxy * by, jxx * by - jxy * bx]) / (jxx * jyy - jxy**2)
    x, y = x - mu[0], y - mu[1]
    fit = float(ia @ (x * x) + 2 * (ib @ (x * y)) + ic @ (y * y))
    value = -0.5 * (float(np.log(determinant).sum()) + fit + data.size * math.log(2 * math.pi))
    if restricted:
        value -= 0.5 * (math.log(jxx * jyy - jxy**2) - 2 * math.log(2 * math.pi))
    return value, mu, information
