"""p of no relation with few families: the wild cluster restricted bootstrap.

In: two arrays and the pairs' families. Out: `WildTest`. The slope of y on x is set to 0, the
residuals of each family keep or change their sign together, and the cluster-robust t of the data is
compared with those of the data so made (WCR; Cameron, Gelbach & Miller 2008; MacKinnon, Nielsen &
Webb 2023). With G families there are 2^G sign vectors, of which one and its opposite give the same
|t|: all are enumerated up to 12 families, and p cannot be smaller than 2/2^G.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.data.families import Families
from analysis.statistics.result import Result

DRAWS = 9_999
ENUMERATED = 12
"Families up to which every sign vector is tried."


@dataclass(frozen=True)
class WildTest(Result):
    """A test of slope 0."""

    t: float
    "Cluster-robust (CR1) t of the slope."
    p: float
    "Two-sided; nan where t is undefined."
    smallest_p: float
    "No data from so many families could give less."
    draws: int
    enumerated: bool
    n_families: int

    def sentence(self) -> str:
        """For a paper."""
        how = "all" if self.enumerated else "random"
        return (
            f"p = {self.p:.3f} (wild cluster restricted bootstrap, {how} {self.draws} sign vectors "
            f"of {self.n_families} families; the smallest attainable p is {self.smallest_p:.3g})."
        )


def smallest_p(groups: int, draws: int = DRAWS) -> float:
    """The least p that so many families can give.

    >>> smallest_p(5)
    0.0625
    """
    return 2.0 / 2**groups if groups <= ENUMERATED else 1.0 / (draws + 1)


def wild_test(
    x: ArrayLike,
    y: ArrayLike,
    families: Families,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> WildTest:
    """Tests that y does not depend on x; `rng` is used only beyond 12 families."""
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    groups = families.count
    members = families.members()
    enumerated = groups <= ENUMERATED
    if enumerated:
        codes = np.arange(2**groups)
        signs = 1.0 - 2.0 * ((codes[:, None] >> np.arange(groups)) & 1)
    else:
        signs = rng.choice([-1.0, 1.0], size=(draws, groups))
    smallest = smallest_p(groups, draws)
    observed = _cluster_t(xs, ys[None, :], members)[0]
    if math.isnan(observed):
        return WildTest(math.nan, math.nan, smallest, len(signs), enumerated, groups)
    made = ys.mean() + (ys - ys.mean()) * (signs @ members)
    found = np.abs(_cluster_t(xs, made, members))
    # A draw without variance has no t; counted as extreme, lest p be too small. Enumerated draws
    # hold the data itself, whose t may differ in the last digit.
    extreme = int(np.sum(~(found < abs(observed) * (1 - 1e-10))))
    p = extreme / len(signs) if enumerated else (extreme + 1) / (draws + 1)
    return WildTest(observed, p, smallest, len(signs), enumerated, groups)


def _cluster_t(
    x: NDArray[np.float64], ys: NDArray[np.float64], members: NDArray[np.float64]
) -> NDArray[np.float64]:
    """t of the slope for each row of `ys` [draws, pairs], clustered by `members` [G, pairs]."""
    dx = x - x.mean()
    below = float(dx @ dx)
    if below == 0:
        return np.full(len(ys), math.nan)
    dy = ys - ys.mean(1, keepdims=True)
    slope = dy @ dx / below
    scores = ((dy - slope[:, None] * dx) * dx) @ members.T
    groups, n = members.shape
    correction = groups / (groups - 1) * (n - 1) / (n - 2)
    variance = correction * (scores**2).sum(1) / below**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(variance > 0, slope / np.sqrt(variance), math.nan))
