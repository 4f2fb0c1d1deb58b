"""The correlation within and between model families.

In: two arrays and the pairs' families. Out: `WithinBetween`. Models of one family are alike, so a
pooled correlation may come from differences between families alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.distributions import normal_quantile, t_tail
from analysis.statistics.correlation.coefficients import coefficient_of
from analysis.statistics.families import Families
from analysis.statistics.result import Result


@dataclass(frozen=True)
class WithinBetween(Result):
    """The pooled correlation, that of family means, and that within families."""

    pooled: float
    between: float
    within: float
    "Of deviations from family means: repeated-measures correlation (Bakdash & Marusich 2017)."
    within_low: float
    within_high: float
    within_p: float
    within_df: int
    n_pairs: int
    n_families: int
    n_within: int
    "Pairs in families of two or more; only these carry information within families."

    def sentence(self) -> str:
        """Describe the three correlations for a paper."""
        return (
            f"r = {self.pooled:.2f} over all pairs, {self.between:.2f} between the means of "
            f"{self.n_families} families, {self.within:.2f} [{self.within_low:.2f}, "
            f"{self.within_high:.2f}] within families ({self.n_within} pairs)."
        )


def within_between(
    x: ArrayLike, y: ArrayLike, families: Families, *, level: float = 0.95
) -> WithinBetween:
    """Decompose the correlation of x and y [pairs]; nan where a part is undefined."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    members = families.members()
    sizes = members.sum(1)
    mx, my = members @ xs / sizes, members @ ys / sizes
    within = coefficient_of(xs - mx @ members, ys - my @ members, "pearson")
    n_within = int(sizes[sizes > 1].sum())
    # A family of one adds a point at the origin and no degree of freedom.
    df = len(xs) - families.count - 1
    low = high = p = math.nan
    if df >= 3 and abs(within) < 1:
        reach = float(normal_quantile(0.5 + level / 2)) / math.sqrt(df - 1)
        low, high = math.tanh(math.atanh(within) - reach), math.tanh(math.atanh(within) + reach)
        t = within * math.sqrt(df / (1 - within**2))
        p = 2 * float(t_tail(abs(t), df))
    return WithinBetween(
        pooled=coefficient_of(xs, ys, "pearson"),
        between=coefficient_of(mx, my, "pearson") if families.count > 2 else math.nan,
        within=within if df >= 1 else math.nan,
        within_low=low,
        within_high=high,
        within_p=p,
        within_df=df,
        n_pairs=len(xs),
        n_families=families.count,
        n_within=n_within,
    )
