"""That there is no relation to speak of: p > .05 does not show it, this does.

In: a correlation and its standard error on Fisher's scale. Out: `Equivalence`: two one-sided tests
against ±bound (Schuirmann 1987; for correlations Goertzen & Cribbie 2010), with the smallest bound
that the data could prove, were the correlation exactly 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from analysis.statistics.result import Result


@dataclass(frozen=True)
class Equivalence(Result):
    """Whether |correlation| < bound."""

    bound: float
    p: float
    "The larger of the two one-sided p."
    low: float
    "The ends of the interval of level 1 - 2 alpha: within ±bound if and only if p < alpha."
    high: float
    smallest_bound: float
    method: str

    def sentence(self) -> str:
        """For a paper."""
        return (
            f"|r| < {self.bound:g}: p = {self.p:.3f} ({self.method}; a bound below "
            f"{self.smallest_bound:.2f} could not be proved with these data)."
        )


def equivalence(
    r: float, *, bound: float, n: int | None = None, error: float | None = None,
    n_families: int | None = None, alpha: float = 0.05,
) -> Equivalence:  # fmt: skip
    """With `n` independent pairs, or with the jackknife's `error` of atanh r over `n_families`."""
    if not 0 < bound < 1:
        raise ValueError(f"bound must lie between 0 and 1, found {bound}")
    if n is not None:
        scale, method = 1 / math.sqrt(n - 3), "TOST on Fisher's z, independent pairs"
        upper, quantile = stats.norm.sf, float(stats.norm.ppf(1 - alpha))
    elif error is not None and n_families is not None:
        scale, method = error, "TOST on Fisher's z, family jackknife, t(G-1)"
        of_t = stats.t(n_families - 1)
        upper, quantile = of_t.sf, float(of_t.ppf(1 - alpha))
    else:
        raise ValueError("give n, or error and n_families")
    z, z0 = math.atanh(r), math.atanh(bound)
    p = max(float(upper((z + z0) / scale)), float(upper((z0 - z) / scale)))
    reach = quantile * scale
    return Equivalence(
        bound, p, math.tanh(z - reach), math.tanh(z + reach), math.tanh(reach), method
    )
