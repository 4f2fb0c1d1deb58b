"""The columns of random effects of a linear mixed model, and products with them.

In: Z in blocks, one for each term. Out: `EffectMatrix`: Λ from its parameters, Z'AZ for diagonal A,
and sums over the levels that share a triangular factor. The likelihood asks for the same products
hundreds of times with other numbers, so that the places of the numbers are worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RandomEffects(NamedTuple):
    """Dimensions of one term's random effects."""

    levels: int
    columns: int

    @property
    def entries(self) -> int:
        """Number of entries of its triangular factor."""
        return self.columns * (self.columns + 1) // 2


@dataclass(frozen=True)
class EffectMatrix:
    """Z and its blocks."""

    z: sparse.csr_array
    "[n, effects], ordered by block, then level, then column."
    blocks: tuple[RandomEffects, ...]

    def factor(self, theta: Floats) -> Floats:
        """Λ [effects, effects]: each triangular factor, repeated for the levels of its block.

        `theta` [parameters] begins with the entries of the factors, row by row and block by block.
        """
        factor = np.zeros((self.z.shape[1],) * 2)
        rows, columns, entries = self._factor_places
        factor[rows, columns] = theta[entries]
        return factor

    def collect(self, gradient: Floats) -> Floats:
        """Sum d/dΛ [effects, effects] over the levels that share each triangular factor."""
        entries, start = [], 0
        for block in self.blocks:
            size = block.levels * block.columns
            part = gradient[start : start + size, start : start + size]
            start += size
            shape = (block.levels, block.columns) * 2
            total = np.einsum("lilj->ij", part.reshape(shape))
            entries.append(total[np.tril_indices(block.columns)])
        return np.concatenate([*entries, np.zeros(0)])

    def weighted(self, weights: Floats) -> sparse.csr_array:
        """Z with each row times its weight [n]."""
        data = self.z.data * weights[self._rows]
        return sparse.csr_array((data, self.z.indices, self.z.indptr), shape=self.z.shape)

    def gram(self, one: sparse.csr_array, other: sparse.csr_array) -> Floats:
        """The product one' other [effects, effects] of two matrices that are Z with weights."""
        first, second, places = self._products
        effects = self.z.shape[1]
        sums = np.bincount(places, one.data[first] * other.data[second], effects**2)
        return np.asarray(sums.reshape(effects, effects), dtype=float)

    @cached_property
    def _factor_places(self) -> tuple[Ints, Ints, Ints]:
        """Rows and columns of the entries of Λ that are not zero, and which parameters they are."""
        empty = np.zeros(0, dtype=np.int64)
        rows, columns, entries = [empty], [empty], [empty]
        effect = parameter = 0
        for block in self.blocks:
            row, column = np.tril_indices(block.columns)
            first = effect + block.columns * np.arange(block.levels)[:, None]
            rows.append((first + row).ravel())
            columns.append((first + column).ravel())
            entries.append(np.tile(parameter + np.arange(block.entries), block.levels))
            effect += block.levels * block.columns
            parameter += block.entries
        return np.concatenate(rows), np.concatenate(columns), np.concatenate(entries)

    @cached_property
    def _rows(self) -> Ints:
        """Row of each stored entry of Z."""
        return np.repeat(np.arange(self.z.shape[0]), np.diff(self.z.indptr))

    @cached_property
    def _products(self) -> tuple[Ints, Ints, Ints]:
        """Pairs of stored entries of one row of Z: both, and the place of their product in Z'Z."""
        z = self.z
        lengths = np.diff(z.indptr)[self._rows]
        first = np.repeat(np.arange(z.nnz), lengths)
        before = np.repeat(np.cumsum(lengths) - lengths - z.indptr[self._rows], lengths)
        second = np.arange(len(first)) - before
        return first, second, z.indices[first].astype(np.int64) * z.shape[1] + z.indices[second]
