"""The wild cluster restricted bootstrap: a test of no relation that works with few families.

In: two arrays and the pairs' families. Out: `WildTest`.

The null of slope 0 is imposed on the regression of y on x, the residuals of each family keep or
change their sign together, and the cluster-robust t of the data is compared with those of the
resamples (WCR; Cameron, Gelbach & Miller 2008; MacKinnon, Nielsen & Webb 2023). G families have 2^G
sign vectors, and opposite ones give the same |t|: up to 12 families all are enumerated, and p is at
least 2/2^G.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.families import Families
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
DRAWS = 9_999
MAX_ENUMERATED_FAMILIES = 12
"Number of families up to which every sign vector is enumerated."


@dataclass(frozen=True)
class WildTest(Result):
    """A test of slope 0."""

    t: float
    "Cluster-robust (CR1) t of the slope."
    p: float
    "Two-sided p-value; nan where t is undefined."
    smallest_p: float
    "Smallest p-value attainable with this number of families."
    draws: int
    enumerated: bool
    n_families: int

    def sentence(self) -> str:
        """Describe the test for a paper."""
        which = "all" if self.enumerated else "random"
        return (
            f"p = {self.p:.3f} (wild cluster restricted bootstrap, {which} {self.draws} sign "
            f"vectors of {self.n_families} families; the smallest attainable p is "
            f"{self.smallest_p:.3g})."
        )


def smallest_p(n_families: int, draws: int = DRAWS) -> float:
    """Smallest p-value that a number of families can give.

    >>> smallest_p(5)
    0.0625
    """
    return 2.0 / 2**n_families if n_families <= MAX_ENUMERATED_FAMILIES else 1.0 / (draws + 1)


def wild_test(
    x: ArrayLike,
    y: ArrayLike,
    families: Families,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> WildTest:
    """Test that y does not depend on x, both [pairs].

    `rng` and `draws` are used only beyond 12 families.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    groups = families.count
    members = families.members()
    enumerated = groups <= MAX_ENUMERATED_FAMILIES
    if enumerated:
        codes = np.arange(2**groups)
        signs = np.asarray(1.0 - 2.0 * ((codes[:, None] >> np.arange(groups)) & 1), dtype=float)
    else:
        signs = rng.choice([-1.0, 1.0], size=(draws, groups))
    smallest = smallest_p(groups, draws)
    observed = float(_cluster_t(xs, ys, members, np.ones((1, groups)))[0])
    if math.isnan(observed):
        return WildTest(math.nan, math.nan, smallest, len(signs), enumerated, groups)
    statistics = np.abs(_cluster_t(xs, ys, members, signs))
    # A resample without variance has no t and counts as extreme, so that p is never too small.
    # Enumerated resamples include the data, whose t may differ in the last digit.
    extreme = int(np.sum(~(statistics < abs(observed) * (1 - 1e-10))))
    p = extreme / len(signs) if enumerated else (extreme + 1) / (draws + 1)
    return WildTest(observed, p, smallest, len(signs), enumerated, groups)


def _cluster_t(x: Floats, y: Floats, members: Floats, signs: Floats) -> Floats:
    """Cluster-robust t [draws] of the slope on x of y, each family's residuals times its sign.

    x and y are [pairs], `members` [families, pairs], `signs` [draws, families]. All sums over pairs
    are sums over families, whose parts are computed once.
    """
    dx, dy = x - x.mean(), y - y.mean()
    sum_of_squares = float(dx @ dx)
    if sum_of_squares == 0:
        return np.full(len(signs), math.nan)
    products, squares, x_sums, y_sums = (members @ np.stack([dx * dy, dx * dx, dx, dy], 1)).T
    slope = signs @ products / sum_of_squares
    means = signs @ y_sums / len(x)
    scores = signs * products - means[:, None] * x_sums - slope[:, None] * squares
    groups, n = members.shape
    correction = groups / (groups - 1) * (n - 1) / (n - 2)
    variance = correction * (scores**2).sum(1) / sum_of_squares**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(variance > 0, slope / np.sqrt(variance), math.nan))
