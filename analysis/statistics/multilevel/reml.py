"""The restricted likelihood of a linear mixed model, its slope, and its maximum.

In: scores y, fixed effects' columns X, random effects' columns Z in blocks, known variances v. Out:
`Restricted`: -2 log of the restricted likelihood of

    y ~ N(Xβ, V),   V = D + ZΛΛ'Z',   D = σ² I + diag(v),

with Λ a lower triangle for each term, the same for its levels (Bates et al. 2015). V is never made:
with G = Z'D⁻¹Z, all that is needed is the Cholesky factor of M = I + Λ'GΛ, whose side is the number
of random effects. With P = V⁻¹ - V⁻¹X(X'V⁻¹X)⁻¹X'V⁻¹ the slopes are

    d/dΛ = 2 (Z'PZ - Z'Pyy'PZ) Λ,    d/dσ = 2σ (tr P - y'PPy).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, sparse

Floats = NDArray[np.float64]
STARTS = (0.5, 0.1)
"Deviations, in units of the scores' spread, from which the likelihood is climbed."
LEAST_RESIDUAL = 1e-5
"A residual that is none and yet positive, in the same units."


class Solved(NamedTuple):
    """At one choice of the variances."""

    criterion: float
    slope: Floats
    coefficients: Floats
    covariance: Floats


class Block(NamedTuple):
    """A term's random effects."""

    levels: int
    columns: int

    @property
    def entries(self) -> int:
        """Of its triangle."""
        return self.columns * (self.columns + 1) // 2


@dataclass(frozen=True)
class Restricted:
    """Parameters are the triangles' entries, row by row, block by block, and then σ if there is a
    residual."""

    y: Floats
    x: Floats
    z: sparse.csr_array
    "[n, effects]: block by block, level by level, the columns of a level together."
    known: Floats
    blocks: tuple[Block, ...]
    residual: bool

    def triangles(self, theta: Floats) -> list[Floats]:
        """Of each block, [columns, columns]."""
        made, at = [], 0
        for block in self.blocks:
            lower = np.zeros((block.columns, block.columns))
            lower[np.tril_indices(block.columns)] = theta[at : at + block.entries]
            at += block.entries
            made.append(lower)
        return made

    def diagonals(self) -> NDArray[np.bool_]:
        """Which parameters are deviations, never negative; the others turn the effects."""
        found = [i == j for b in self.blocks for i in range(b.columns) for j in range(i + 1)]
        return np.array([*found, *[True] * self.residual], dtype=np.bool_)

    def solved(self, theta: Floats) -> Solved:
        """The criterion and its slope; numpy.linalg.LinAlgError where V is singular."""
        sigma = max(float(theta[-1]), LEAST_RESIDUAL) if self.residual else 0.0
        weights = 1 / (self.known + sigma**2)
        targets = np.column_stack([self.x, self.y])
        weighted = targets * weights[:, None]
        heavy = self.z.multiply(weights[:, None]).tocsr()
        gram = (self.z.T @ heavy).toarray()
        lam = linalg.block_diag(
            *(np.kron(np.eye(b.levels), t)
              for b, t in zip(self.blocks, self.triangles(theta), strict=True))
        )[: self.z.shape[1]]  # fmt: skip
        crossed = gram @ lam
        m = lam.T @ crossed
        m[np.diag_indices_from(m)] += 1
        factor = linalg.cho_factor(m, lower=True)

        def through(right: Floats, at: Floats) -> Floats:
            """V⁻¹ on columns of which D⁻¹ makes `right`, and Z'D⁻¹ makes `at`."""
            return np.asarray(right - heavy @ (lam @ linalg.cho_solve(factor, lam.T @ at)))

        solved = through(weighted, heavy.T @ targets)
        information = self.x.T @ solved[:, :-1]
        covariance: Floats = np.asarray(np.linalg.inv(information), dtype=float)
        beta = covariance @ (self.x.T @ solved[:, -1])
        vx = solved[:, :-1]
        py = solved[:, -1] - vx @ beta
        free = len(self.y) - self.x.shape[1]
        logs = 2 * float(np.log(np.diag(factor[0])).sum()) - float(np.log(weights).sum())
        logs += float(np.linalg.slogdet(information)[1]) + free * math.log(2 * math.pi)
        half = linalg.solve_triangular(factor[0], crossed.T, lower=True)
        of_x, of_y = self.z.T @ vx, self.z.T @ py
        zpz = gram - half.T @ half - of_x @ covariance @ of_x.T
        slopes = self._entries(2 * (zpz - np.outer(of_y, of_y)) @ lam)
        if self.residual:
            square = (heavy.T @ heavy).toarray()
            trace = float(weights.sum())
            trace -= float(np.trace(linalg.cho_solve(factor, lam.T @ square @ lam)))
            trace -= float(np.trace(covariance @ (vx.T @ vx)))
            slopes = np.append(slopes, 2 * sigma * (trace - float(py @ py)))
        return Solved(logs + float(self.y @ py), slopes, beta, covariance)

    def _entries(self, slope: Floats) -> Floats:
        """Of d/dΛ [effects, effects] what each triangle's entries are part of, over its levels."""
        found, at = [], 0
        for block in self.blocks:
            size = block.levels * block.columns
            own = slope[at : at + size, at : at + size]
            at += size
            shape = (block.levels, block.columns) * 2
            total = np.einsum("lilj->ij", own.reshape(shape))
            found.append(total[np.tril_indices(block.columns)])
        return np.concatenate([*found, np.zeros(0)])

    def climbed(self, start: Floats | None = None) -> Floats:
        """The most likely parameters, from `start` or several starts; without each deviation that
        makes nothing likelier."""
        positive = self.diagonals()
        if not len(positive):
            return np.zeros(0)
        starts = [np.where(positive, s, 0.0) for s in STARTS] if start is None else [start]
        tries = [
            optimize.minimize(
                self._loss, begin, method="L-BFGS-B", jac=True,
                bounds=[(0.0 if at_least else None, None) for at_least in positive],
                options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 1000},
            )
            for begin in starts
        ]  # fmt: skip
        best = np.asarray(min(tries, key=lambda found: found.fun).x)
        for i in np.flatnonzero(positive):
            without = best.copy()
            without[i] = 0.0
            if best[i] < 1e-2 and self._loss(without)[0] <= self._loss(best)[0] + 1e-6:
                best = without
        return best

    def _loss(self, theta: Floats) -> tuple[float, Floats]:
        try:
            found = self.solved(theta)
        except np.linalg.LinAlgError:
            return math.inf, np.zeros_like(theta)
        return found.criterion, found.slope
