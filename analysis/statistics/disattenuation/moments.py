"""Correlation of true scores, when measured ones carry error: of few items, and of the same items.

In: item scores of both sides. Out: `Corrected`. (For mean scores with known errors alone, see
likelihood.py, without any model of them halves.py.)

Sampling items anew changes all models' scores alike where items are simply hard or easy; that does
not scatter models, and is no error here. What does is how a model fares on an item beyond what both
would say: the model by item residual. Base and tuned meet the same items, so their residuals are
correlated, and that part of the covariance is no evidence either. Binomial variances, p(1-p)/n,
ignore both and correct too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.result import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Corrected(Result):
    """The correlation as measured and without measurement error, always together."""

    method: str
    naive: float
    estimate: float
    "nan where it cannot be estimated; never clipped to [-1, 1]."
    reliability_x: float
    "Share of the measured variance that is between true scores."
    reliability_y: float
    n_pairs: int
    note: str = ""

    def sentence(self) -> str:
        """For a paper."""
        of = f"reliabilities {self.reliability_x:.2f} and {self.reliability_y:.2f}"
        if math.isnan(self.estimate):
            return f"r = {self.naive:.2f}; corrected {self.note} ({of})."
        return f"r = {self.naive:.2f}, corrected for measurement error {self.estimate:.2f} ({of})."


def spearman_correction(r: float, reliability_x: float, reliability_y: float) -> float:
    """r / √(rel_x rel_y) (Spearman 1904).

    >>> round(spearman_correction(0.5, 0.8, 0.7), 7)
    0.6681531
    """
    return r / math.sqrt(reliability_x * reliability_y)


def reliability(items: ArrayLike) -> float:
    """1 - MS_residual / MS_models of scores [models, items] (Hoyt 1941), which is Cronbach's α."""
    x = _matrix(items, "items")
    models, n = x.shape
    between = n * float(x.mean(1).var(ddof=1))
    residual = float((_residuals(x) ** 2).sum()) / ((models - 1) * (n - 1))
    return 1 - residual / between if between > 0 else math.nan


def error_covariance(x: ArrayLike, y: ArrayLike, *, clusters: ArrayLike | None = None) -> Floats:
    """Covariance [2, 2] of the errors of model means over n items, from the model by item
    residuals of scores [models, items]:  Σ R_x R_y / ((M - 1)(n - 1)) / n.

    Residuals of items of one cluster (a passage) are summed first, as a model may fare well on all
    of it:  Σ_c R_x,c R_y,c / (M - 1) · G/(G - 1) / n²,  which is the same for clusters of one.
    """
    rx, ry = _residuals(_matrix(x, "x")), _residuals(_matrix(y, "y"))
    if rx.shape != ry.shape:
        raise ValueError(f"x and y must hold the same models and items, {rx.shape} and {ry.shape}")
    models, n = rx.shape
    groups = n
    if clusters is not None:
        codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
        groups = int(codes.max()) + 1
        if groups < 2:
            return np.full((2, 2), math.nan)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(groups))
        rx, ry = (np.add.reduceat(side[:, order], starts, axis=1) for side in (rx, ry))
    both = np.array([[np.sum(a * b) for b in (rx, ry)] for a in (rx, ry)])
    return np.asarray(both / (models - 1) * (groups / (groups - 1)) / n**2)


def by_moments(x: ArrayLike, y: ArrayLike, *, clusters: ArrayLike | None = None) -> Corrected:
    """From item scores [models, items] of both sides on the same items.

    (S_xy - e_xy) / √((S_xx - e_xx)(S_yy - e_yy)), S the covariance of the means.
    """
    xs, ys = _matrix(x, "x"), _matrix(y, "y")
    errors = error_covariance(xs, ys, clusters=clusters)
    return of_covariances(np.cov(xs.mean(1), ys.mean(1)), errors, len(xs))


def of_covariances(measured: Floats, errors: Floats, n_pairs: int) -> Corrected:
    """The moment estimator from the covariances [2, 2] of the means and of their errors."""
    true = measured - errors
    naive = correlation_of(measured)
    of_x, of_y = (
        float(true[i, i] / measured[i, i]) if measured[i, i] > 0 else math.nan for i in (0, 1)
    )
    estimate, note = math.nan, ""
    if not np.isfinite(true).all():
        note = "not estimable: the items are of one cluster"
    elif not (true[0, 0] > 0 and true[1, 1] > 0):
        note = "not estimable: no variance is left between true scores"
    else:
        estimate = correlation_of(true)
        if abs(estimate) > 1:
            note = f"not estimable: {estimate:.3g} lies beyond 1"
            estimate = math.nan
    return Corrected("moments", naive, estimate, of_x, of_y, n_pairs, note)


def _matrix(scores: ArrayLike, name: str) -> Floats:
    found = np.asarray(scores, dtype=float)
    if found.ndim != 2 or min(found.shape) < 2:
        raise ValueError(f"{name} must be [models, items], two of each at least: {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite in every item")
    return found


def _residuals(scores: Floats) -> Floats:
    """Model by item: what neither the model nor the item alone would say."""
    rows, columns = scores.mean(1, keepdims=True), scores.mean(0, keepdims=True)
    return np.asarray(scores - rows - columns + scores.mean())


def correlation_of(covariance: Floats) -> float:
    """The correlation that a covariance [2, 2] holds; nan where a variance is not positive."""
    below = math.sqrt(max(0.0, float(covariance[0, 0] * covariance[1, 1])))
    return float(covariance[0, 1]) / below if below > 0 else math.nan
