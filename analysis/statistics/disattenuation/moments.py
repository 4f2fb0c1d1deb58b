"""Disattenuated correlation by the method of moments, from item scores.

In: item scores of both arms. Out: `Disattenuation`. (For mean scores with known error variances see
likelihood.py; for an estimator without a model of errors see split_halves.py.)

Resampling items moves the scores of all models alike where items are simply hard or easy; that
does not scatter models and is no measurement error here. Measurement error is how a model fares on
an item beyond what the two main effects predict: the model by item residual. Base and tuned models
respond to the same items, so their residuals are correlated, and that part of the covariance is
removed as well. Binomial variances p(1-p)/n ignore both points and correct too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.result import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Disattenuation(Result):
    """The correlation as measured and disattenuated, always together."""

    method: str
    naive: float
    estimate: float
    "nan where it cannot be estimated; never clipped to [-1, 1]."
    reliability_x: float
    "Share of the variance of measured scores that is variance of true scores."
    reliability_y: float
    n_pairs: int
    note: str = ""

    def sentence(self) -> str:
        """Describe both correlations for a paper."""
        reliabilities = f"reliabilities {self.reliability_x:.2f} and {self.reliability_y:.2f}"
        if math.isnan(self.estimate):
            return f"r = {self.naive:.2f}; disattenuated: {self.note} ({reliabilities})."
        return f"r = {self.naive:.2f}, disattenuated {self.estimate:.2f} ({reliabilities})."


def spearman_correction(r: float, reliability_x: float, reliability_y: float) -> float:
    """Spearman's correction for attenuation (1904), r / √(rel_x rel_y).

    >>> round(spearman_correction(0.5, 0.8, 0.7), 7)
    0.6681531
    """
    return r / math.sqrt(reliability_x * reliability_y)


def reliability(items: ArrayLike) -> float:
    """Reliability of the mean of scores [models, items]: Hoyt's coefficient, or Cronbach's α.

    1 - MS_residual / MS_models (Hoyt 1941); nan where all models score alike.
    """
    x = _matrix(items, "items")
    models, n = x.shape
    between = n * float(x.mean(1).var(ddof=1))
    residual = float((_residuals(x) ** 2).sum()) / ((models - 1) * (n - 1))
    return 1 - residual / between if between > 0 else math.nan


def error_covariance(x: ArrayLike, y: ArrayLike, *, clusters: ArrayLike | None = None) -> Floats:
    """Covariance [2, 2] of the measurement errors of mean scores, from scores [models, items].

    From the model by item residuals R,  Σ R_x R_y / ((M - 1)(n - 1)) / n.  Residuals of items of
    one cluster (a passage) are summed first, as a model may do well on all of it:
    Σ_c R_x,c R_y,c / (M - 1) · G/(G - 1) / n²,  which is the same for clusters of one item.
    """
    rx, ry = _residuals(_matrix(x, "x")), _residuals(_matrix(y, "y"))
    if rx.shape != ry.shape:
        raise ValueError(f"x and y must hold the same models and items, {rx.shape} and {ry.shape}")
    models, n = rx.shape
    groups = n
    if clusters is not None:
        rx, ry = cluster_sums(rx, clusters), cluster_sums(ry, clusters)
        groups = rx.shape[1]
        if groups < 2:
            return np.full((2, 2), math.nan)
    products = np.array([[np.sum(a * b) for b in (rx, ry)] for a in (rx, ry)])
    return np.asarray(products / (models - 1) * (groups / (groups - 1)) / n**2)


def cluster_sums(values: Floats, clusters: ArrayLike) -> Floats:
    """Sums [rows, clusters] of values [rows, items] over the items of each cluster."""
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(int(codes.max()) + 1))
    return np.add.reduceat(values[:, order], starts, axis=1)


def by_moments(x: ArrayLike, y: ArrayLike, *, clusters: ArrayLike | None = None) -> Disattenuation:
    """Disattenuate the correlation of mean scores, from scores [models, items] of the same items.

    (S_xy - e_xy) / √((S_xx - e_xx)(S_yy - e_yy)), with S the covariance of the means and e that of
    their errors.
    """
    xs, ys = _matrix(x, "x"), _matrix(y, "y")
    errors = error_covariance(xs, ys, clusters=clusters)
    return of_covariances(np.cov(xs.mean(1), ys.mean(1)), errors, len(xs))


def of_covariances(measured: Floats, errors: Floats, n_pairs: int) -> Disattenuation:
    """Moment estimator from the covariances [2, 2] of mean scores and of their errors."""
    true = measured - errors
    naive = correlation_of(measured)
    reliability_x, reliability_y = (
        float(true[i, i] / measured[i, i]) if measured[i, i] > 0 else math.nan for i in (0, 1)
    )
    estimate, note = math.nan, ""
    if not np.isfinite(true).all():
        note = "not estimable: all items are in one cluster"
    elif not (true[0, 0] > 0 and true[1, 1] > 0):
        note = "not estimable: no variance of true scores remains"
    else:
        estimate = correlation_of(true)
        if abs(estimate) > 1:
            note = f"not estimable: {estimate:.3g} lies beyond 1"
            estimate = math.nan
    return Disattenuation("moments", naive, estimate, reliability_x, reliability_y, n_pairs, note)


def correlation_of(covariance: Floats) -> float:
    """Correlation in a covariance matrix [2, 2]; nan where a variance is not positive."""
    scale = math.sqrt(max(0.0, float(covariance[0, 0] * covariance[1, 1])))
    return float(covariance[0, 1]) / scale if scale > 0 else math.nan


def _matrix(scores: ArrayLike, name: str) -> Floats:
    matrix = np.asarray(scores, dtype=float)
    if matrix.ndim != 2 or min(matrix.shape) < 2:
        raise ValueError(f"{name} must be [models, items], at least 2 by 2; found {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite for every item")
    return matrix


def _residuals(scores: Floats) -> Floats:
    """Model by item residuals: scores less both main effects."""
    rows, columns = scores.mean(1, keepdims=True), scores.mean(0, keepdims=True)
    return np.asarray(scores - rows - columns + scores.mean())
