"""A linear mixed model with crossed effects and known sampling variances.

In: cells' scores, a design matrix, grouping factors, the known variance of each score. Out:
`MixedFit`. Restricted maximum likelihood over the components' standard deviations,

    y = Xβ + Σ_k Z_k u_k + ε + e,   V = Σ_k σ²_k Z_k Z_k' + σ² I + diag(v),

where ε is left out if the known variances are all there is. statsmodels fits crossed effects
slowly, fails at a component of 0 and knows no sampling variances; here 0 is a result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
RESIDUAL = "residual"


@dataclass(frozen=True)
class MixedFit:
    """Fixed effects, and the standard deviation of every component."""

    names: tuple[str, ...]
    coefficients: Floats
    errors: Floats
    deviations: dict[str, float]
    "By component; 0 at the boundary."
    criterion: float
    "-2 × the restricted log-likelihood."
    n: int
    at_boundary: tuple[str, ...]
    "Components that are 0."

    def to_frame(self) -> pd.DataFrame:
        """One row per fixed effect, with Wald's z."""
        z = self.coefficients / self.errors
        return pd.DataFrame(
            {"effect": self.names, "estimate": self.coefficients, "stderr": self.errors,
             "z": z, "p": 2 * stats.norm.sf(np.abs(z))}
        )  # fmt: skip


def mixed_model(
    y: ArrayLike,
    design: Mapping[str, ArrayLike],
    groups: Mapping[str, Sequence[object]],
    *,
    known: ArrayLike | None = None,
    slopes: Mapping[str, ArrayLike] | None = None,
    residual: bool = True,
) -> MixedFit:
    """`design`: columns by name, the constant included; `groups`: labels by component, each a
    random intercept, or for a name in `slopes` a random slope on those values."""
    ys = np.asarray(y, dtype=float)
    x = np.column_stack([np.broadcast_to(np.asarray(c, float), ys.shape) for c in design.values()])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(f"the columns {', '.join(design)} are not independent")
    noise = np.zeros(len(ys)) if known is None else np.asarray(known, dtype=float)
    parts = {name: _similar(labels, (slopes or {}).get(name)) for name, labels in groups.items()}
    if residual:
        parts[RESIDUAL] = np.eye(len(ys))
    matrices = list(parts.values())
    scale = float(np.linalg.lstsq(x, ys, rcond=None)[1].sum() / len(ys)) ** 0.5 or 1.0

    def total(deviations: Floats) -> Floats:
        made = np.diag(noise)
        for deviation, matrix in zip(deviations, matrices, strict=True):
            made = made + deviation**2 * matrix
        return made

    def loss(relative: Floats) -> float:
        try:
            return _criterion(ys, x, total(relative * scale))
        except np.linalg.LinAlgError:
            return math.inf

    best = _minimise(loss, len(matrices)) if matrices else np.zeros(0)
    deviations = np.abs(best) * scale
    for i in range(len(deviations)):  # a component that makes nothing likelier is none
        without = deviations.copy()
        without[i] = 0.0
        if (
            deviations[i] < 1e-3 * scale
            and loss(without / scale) <= loss(deviations / scale) + 1e-6
        ):
            deviations = without
    v = total(deviations)
    solved = np.linalg.solve(v, x)
    covariance = np.linalg.inv(x.T @ solved)
    beta = covariance @ solved.T @ ys
    found = dict(zip(parts, deviations.tolist(), strict=True))
    return MixedFit(
        names=tuple(design),
        coefficients=beta,
        errors=np.sqrt(np.diag(covariance)),
        deviations=found,
        criterion=_criterion(ys, x, v),
        n=len(ys),
        at_boundary=tuple(name for name, deviation in found.items() if deviation == 0),
    )


def _similar(labels: Sequence[object], slope: ArrayLike | None) -> Floats:
    """Z Z' of a factor."""
    codes = pd.factorize(np.asarray(labels, dtype=object))[0]
    z = np.eye(codes.max() + 1)[codes]
    if slope is not None:
        z = z * np.asarray(slope, dtype=float)[:, None]
    return np.asarray(z @ z.T)


def _criterion(y: Floats, x: Floats, v: Floats) -> float:
    """-2 log restricted likelihood."""
    lower = np.linalg.cholesky(v)
    wx, wy = np.linalg.solve(lower, x), np.linalg.solve(lower, y)
    information = wx.T @ wx
    beta = np.linalg.solve(information, wx.T @ wy)
    apart = wy - wx @ beta
    free = len(y) - x.shape[1]
    logs = 2 * float(np.log(np.diag(lower)).sum()) + float(np.linalg.slogdet(information)[1])
    return float(logs + float(apart @ apart) + free * math.log(2 * math.pi))


def _minimise(loss: object, components: int) -> Floats:
    """From several starts: the surface is flat where a component is 0."""
    best = None
    for start in (0.5, 1.0, 0.1):
        found = optimize.minimize(
            loss, np.full(components, start), method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000, "adaptive": True},
        )  # fmt: skip
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    return np.asarray(best.x)
