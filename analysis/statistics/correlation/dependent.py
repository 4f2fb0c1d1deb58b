"""Tests of the difference between two correlations, dependent or independent.

In: correlations and the number of independent observations. Out: `CorrelationComparison`, or the
ends of an interval. The notation is that of the sources: r_jk and r_jh share variable j (tuned
scores, say, against base scores with and without demonstrations), r_kh is the correlation of the
other two.

These closed forms assume independent observations. For pairs in families the jackknife of the
difference (tables/robustness/checks.py) is the primary result, and these are its reference.

Sources: Williams 1959; Steiger 1980; Dunn & Clark 1969; Meng, Rosenthal & Rubin 1992; Zou 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.distributions import normal_quantile, normal_tail, t_tail
from analysis.statistics.result import Result


@dataclass(frozen=True)
class CorrelationComparison(Result):
    """A test of the difference between two correlations."""

    method: str
    difference: float
    "The first correlation minus the second."
    statistic: float
    p: float
    "Two-sided."
    n: int
    low: float = math.nan
    high: float = math.nan

    def sentence(self) -> str:
        """Describe the test for a paper."""
        ends = "" if math.isnan(self.low) else f", 95 % CI [{self.low:.2f}, {self.high:.2f}]"
        return f"Δr = {self.difference:.2f}{ends}, p = {self.p:.3f} ({self.method}, n = {self.n})."


def williams(r_jk: float, r_jh: float, r_kh: float, n: int) -> CorrelationComparison:
    """Williams's t test of r_jk = r_jh, n - 3 degrees of freedom (Steiger 1980, equation 7)."""
    _check(n, 4, r_jk, r_jh, r_kh)
    determinant = 1 + 2 * r_jk * r_jh * r_kh - r_jk**2 - r_jh**2 - r_kh**2
    mean = (r_jk + r_jh) / 2
    denominator = 2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - r_kh) ** 3
    t = (r_jk - r_jh) * math.sqrt((n - 1) * (1 + r_kh) / denominator)
    p = 2 * float(t_tail(abs(t), n - 3))
    return CorrelationComparison("Williams 1959", r_jk - r_jh, t, p, n)


def steiger(r_jk: float, r_jh: float, r_kh: float, n: int) -> CorrelationComparison:
    """Steiger's z test of r_jk = r_jh, with the mean correlation in the covariance.

    Steiger (1980), equation 14.
    """
    _check(n, 4, r_jk, r_jh, r_kh)
    mean = (r_jk + r_jh) / 2
    return _dunn_clark("Steiger 1980", r_jk, r_jh, _covariance(mean, mean, r_kh), n)


def dunn_clark(r_jk: float, r_jh: float, r_kh: float, n: int) -> CorrelationComparison:
    """Dunn & Clark's z test (1969) of r_jk = r_jh on Fisher's scale."""
    _check(n, 4, r_jk, r_jh, r_kh)
    return _dunn_clark("Dunn & Clark 1969", r_jk, r_jh, _covariance(r_jk, r_jh, r_kh), n)


def _covariance(a: float, b: float, between: float) -> float:
    """(n - 3) times the covariance of two Fisher transforms that share a variable (ibid.)."""
    numerator = between * (1 - a**2 - b**2) - 0.5 * a * b * (1 - a**2 - b**2 - between**2)
    return numerator / ((1 - a**2) * (1 - b**2))


def _dunn_clark(method: str, a: float, b: float, c: float, n: int) -> CorrelationComparison:
    z = (math.atanh(a) - math.atanh(b)) * math.sqrt(n - 3) / math.sqrt(2 - 2 * c)
    return CorrelationComparison(method, a - b, z, 2 * float(normal_tail(abs(z))), n)


def meng(r_jk: float, r_jh: float, r_kh: float, n: int) -> CorrelationComparison:
    """Meng, Rosenthal & Rubin's z test of r_jk = r_jh (1992, equations 1 to 3)."""
    _check(n, 4, r_jk, r_jh, r_kh)
    squares = (r_jk**2 + r_jh**2) / 2
    f = min(1.0, (1 - r_kh) / (2 * (1 - squares)))
    h = (1 - f * squares) / (1 - squares)
    difference = math.atanh(r_jk) - math.atanh(r_jh)
    z = difference * math.sqrt((n - 3) / (2 * (1 - r_kh) * h))
    p = 2 * float(normal_tail(abs(z)))
    return CorrelationComparison("Meng, Rosenthal & Rubin 1992", r_jk - r_jh, z, p, n)


def zou(
    r_jk: float, r_jh: float, r_kh: float, n: int, *, level: float = 0.95
) -> tuple[float, float]:
    """Zou's interval of r_jk - r_jh (2007, section on overlapping correlations): (low, high)."""
    _check(n, 4, r_jk, r_jh, r_kh)
    (l1, u1), (l2, u2) = (fisher_interval(r, n, level=level) for r in (r_jk, r_jh))
    c = (r_kh - r_jk * r_jh / 2) * (1 - r_jk**2 - r_jh**2 - r_kh**2) + r_kh**3
    c /= (1 - r_jk**2) * (1 - r_jh**2)
    d = r_jk - r_jh

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one**2 + other**2 - 2 * c * one * other))

    return d - reach(r_jk - l1, u2 - r_jh), d + reach(u1 - r_jk, r_jh - l2)


def fisher_interval(r: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Fisher's interval tanh(atanh r ± z/√(n - 3)) of n independent observations (Fisher 1921)."""
    _check(n, 4, r)
    reach = float(normal_quantile(0.5 + level / 2)) / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)


def bonett_wright_interval(rho: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of Spearman's ρ of n independent observations (Bonett & Wright 2000).

    The variance of Fisher's transform is (1 + ρ²/2)/(n - 3).
    """
    _check(n, 4, rho)
    reach = float(normal_quantile(0.5 + level / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach)


def independent(r1: float, n1: int, r2: float, n2: int) -> CorrelationComparison:
    """Fisher's z test of two correlations of different observations."""
    _check(min(n1, n2), 4, r1, r2)
    z = (math.atanh(r1) - math.atanh(r2)) / math.sqrt(1 / (n1 - 3) + 1 / (n2 - 3))
    return CorrelationComparison("Fisher 1921", r1 - r2, z, 2 * float(normal_tail(abs(z))), n1 + n2)


def steiger_nonoverlapping(
    r_jk: float, r_hm: float, r_jh: float, r_jm: float, r_kh: float, r_km: float, n: int
) -> CorrelationComparison:
    """Steiger's z test of r_jk = r_hm over the same observations (1980, equation 15).

    For example base against tuned scores on two task types, over the same pairs.
    """
    _check(n, 4, r_jk, r_hm, r_jh, r_jm, r_kh, r_km)
    r = (r_jk + r_hm) / 2
    # Pearson & Filon's covariance (1898), with the mean in place of both correlations.
    psi = (
        (r_jh - r * r_kh) * (r_km - r_kh * r)
        + (r_jm - r_jh * r) * (r_kh - r * r_jh)
        + (r_jh - r_jm * r) * (r_km - r * r_jm)
        + (r_jm - r * r_km) * (r_kh - r_km * r)
    ) / 2
    return _dunn_clark("Steiger 1980, non-overlapping", r_jk, r_hm, psi / (1 - r**2) ** 2, n)


def _check(n: int, minimum: int, *correlations: float) -> None:
    if n < minimum:
        raise ValueError(f"{n} observations are too few; {minimum} are needed")
    if wrong := [r for r in correlations if not -1 < r < 1]:
        raise ValueError(f"a correlation must lie between -1 and 1, found {wrong[0]}")
