"""Equivalence tests: is a correlation equivalent to zero?

In: a correlation and its standard error on Fisher's scale. Out: `Equivalence`: two one-sided tests
(TOST) against ±bound (Schuirmann 1987; for correlations Goertzen & Cribbie 2010), and the smallest
bound within which a correlation of exactly 0 could be shown to lie. A p-value above .05 of the
usual test does not show that there is no relation.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from analysis.distributions import (
    normal_quantile,
    normal_tail,
    t_quantile,
    t_tail,
)
from analysis.statistics.result import Result


@dataclass(frozen=True)
class Equivalence(Result):
    """A test of |correlation| < bound."""

    bound: float
    p: float
    "The larger p-value of the two one-sided tests."
    low: float
    "Lower end of the interval of level 1 - 2 alpha, which lies within ±bound iff p < alpha."
    high: float
    "Upper end of that interval."
    smallest_bound: float
    "Smallest bound for which a correlation of exactly 0 would be significant."
    method: str

    def sentence(self) -> str:
        """Describe the test for a paper."""
        return (
            f"|r| < {self.bound:g}: p = {self.p:.3f} ({self.method}; these data cannot show a "
            f"bound below {self.smallest_bound:.2f})."
        )


def equivalence(
    r: float,
    *,
    bound: float,
    n: int | None = None,
    error: float | None = None,
    n_families: int | None = None,
    alpha: float = 0.05,
) -> Equivalence:
    """Test that |r| is below `bound`.

    Give either `n` independent pairs, or the jackknife standard `error` of atanh r and the
    `n_families` that it is over. ValueError if neither is given, or `bound` is not between 0 and 1.
    """
    if not 0 < bound < 1:
        raise ValueError(f"bound must lie between 0 and 1, found {bound}")
    if n is not None:
        scale, method = 1 / math.sqrt(n - 3), "TOST on Fisher's z, independent pairs"
        upper, quantile = normal_tail, float(normal_quantile(1 - alpha))
    elif error is not None and n_families is not None:
        scale, method = error, "TOST on Fisher's z, family jackknife, t(G-1)"
        df = n_families - 1
        upper, quantile = functools.partial(t_tail, df=df), float(t_quantile(1 - alpha, df))
    else:
        raise ValueError("give n, or error and n_families")
    z, z0 = math.atanh(r), math.atanh(bound)
    p = max(float(upper((z + z0) / scale)), float(upper((z0 - z) / scale)))
    reach = quantile * scale
    return Equivalence(
        bound, p, math.tanh(z - reach), math.tanh(z + reach), math.tanh(reach), method
    )
