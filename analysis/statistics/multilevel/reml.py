"""The restricted likelihood of a linear mixed model, its gradient, and its maximum.

In: scores y, fixed-effect columns X, random-effect columns Z in blocks, known sampling variances v.
Out: `RestrictedLikelihood`, which evaluates and minimises -2 log of the restricted likelihood of

    y ~ N(Xβ, V),   V = D + ZΛΛ'Z',   D = σ² I + diag(v),

with Λ block diagonal, a lower triangular factor for each term, equal for all its levels (Bates et
al. 2015). V is never formed: with G = Z'D⁻¹Z, only the Cholesky factor of M = I + Λ'GΛ is needed,
whose order is the number of random effects. With P = V⁻¹ - V⁻¹X(X'V⁻¹X)⁻¹X'V⁻¹ the gradient is

    d/dΛ = 2 (Z'PZ - Z'Pyy'PZ) Λ,    d/dσ = 2σ (tr P - y'PPy).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, sparse

from analysis.statistics.multilevel.random_effects import EffectMatrix, RandomEffects

Floats = NDArray[np.float64]
STARTS = (0.5, 0.1)
"Starting values of the standard deviations, in units of the scores' spread."
MIN_RESIDUAL = 1e-5
"Smallest residual standard deviation, in the same units, which keeps V invertible."
NEAR_BOUNDARY = 1e-2
"Standard deviation below which 0 is tried in its place."


class LikelihoodPoint(NamedTuple):
    """The likelihood and the fixed effects at given parameters."""

    criterion: float
    "-2 times the restricted log-likelihood."
    gradient: Floats
    coefficients: Floats
    covariance: Floats


@dataclass(frozen=True)
class RestrictedLikelihood:
    """The restricted likelihood as a function of its parameters.

    Parameters are the entries of the triangular factors, row by row and block by block, then σ if
    there is a residual.
    """

    y: Floats
    x: Floats
    z: sparse.csr_array
    "[n, effects], ordered by block, then level, then column."
    known: Floats
    "[n]: known sampling variances."
    blocks: tuple[RandomEffects, ...]
    residual: bool

    @cached_property
    def _effects(self) -> EffectMatrix:
        return EffectMatrix(self.z, self.blocks)

    def triangles(self, theta: Floats) -> list[Floats]:
        """Triangular factor of each block, [columns, columns]."""
        triangles, start = [], 0
        for block in self.blocks:
            lower = np.zeros((block.columns, block.columns))
            lower[np.tril_indices(block.columns)] = theta[start : start + block.entries]
            start += block.entries
            triangles.append(lower)
        return triangles

    def diagonals(self) -> NDArray[np.bool_]:
        """Which parameters are diagonal entries, hence bounded below by 0."""
        diagonal = [i == j for b in self.blocks for i in range(b.columns) for j in range(i + 1)]
        return np.array([*diagonal, *[True] * self.residual], dtype=np.bool_)

    def evaluate(self, theta: Floats) -> LikelihoodPoint:
        """Evaluate the criterion and its gradient; numpy.linalg.LinAlgError if V is singular."""
        sigma = max(float(theta[-1]), MIN_RESIDUAL) if self.residual else 0.0
        weights = 1 / (self.known + sigma**2)
        targets = np.column_stack([self.x, self.y])
        weighted = targets * weights[:, None]
        heavy = self._effects.weighted(weights)
        gram = self._effects.gram(heavy, self.z)
        lam = self._effects.factor(theta)
        crossed = gram @ lam
        m = lam.T @ crossed
        m[np.diag_indices_from(m)] += 1
        factor = linalg.cho_factor(m, lower=True)

        # V⁻¹ applied to the columns of X and y, by the Woodbury identity.
        inner = linalg.cho_solve(factor, lam.T @ (heavy.T @ targets))
        solved = np.asarray(weighted - heavy @ (lam @ inner))
        information = self.x.T @ solved[:, :-1]
        covariance: Floats = np.asarray(np.linalg.inv(information), dtype=float)
        beta = covariance @ (self.x.T @ solved[:, -1])
        vx = solved[:, :-1]
        py = solved[:, -1] - vx @ beta
        free = len(self.y) - self.x.shape[1]
        logs = 2 * float(np.log(np.diag(factor[0])).sum()) - float(np.log(weights).sum())
        logs += float(np.linalg.slogdet(information)[1]) + free * math.log(2 * math.pi)
        half = linalg.solve_triangular(factor[0], crossed.T, lower=True)
        zx, zy = np.hsplit(self.z.T @ np.column_stack([vx, py]), [-1])
        zpz = gram - half.T @ half - zx @ covariance @ zx.T
        gradient = self._effects.collect(2 * (zpz - zy @ zy.T) @ lam)
        if self.residual:
            square = self._effects.gram(heavy, heavy)
            trace = float(weights.sum())
            trace -= float(np.trace(linalg.cho_solve(factor, lam.T @ square @ lam)))
            trace -= float(np.trace(covariance @ (vx.T @ vx)))
            gradient = np.append(gradient, 2 * sigma * (trace - float(py @ py)))
        return LikelihoodPoint(logs + float(self.y @ py), gradient, beta, covariance)

    def maximise(self, start: Floats | None = None) -> Floats:
        """Maximise the likelihood from `start`, or from several starting values.

        A standard deviation near 0 becomes 0 if that is no less likely.
        """
        positive = self.diagonals()
        if not len(positive):
            return np.zeros(0)
        starts = [np.where(positive, s, 0.0) for s in STARTS] if start is None else [start]
        tries = [
            optimize.minimize(
                self._loss,
                initial,
                method="L-BFGS-B",
                jac=True,
                bounds=[(0.0 if bounded else None, None) for bounded in positive],
                options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 1000},
            )
            for initial in starts
        ]
        best = np.asarray(min(tries, key=lambda result: result.fun).x)
        for i in np.flatnonzero(positive):
            without = best.copy()
            without[i] = 0.0
            if best[i] < NEAR_BOUNDARY and self._loss(without)[0] <= self._loss(best)[0] + 1e-6:
                best = without
        return best

    def _loss(self, theta: Floats) -> tuple[float, Floats]:
        try:
            point = self.evaluate(theta)
        except np.linalg.LinAlgError:
            return math.inf, np.zeros_like(theta)
        return point.criterion, point.gradient
