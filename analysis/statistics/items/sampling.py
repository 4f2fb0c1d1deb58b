"""Scores over a sample of items: intervals of a share, and how many items show a difference.

In: counts, variances, error rates. Out: intervals, numbers of items, differences. Sample sizes are
after Miller 2024 (arXiv 2411.00640): two models on the same items are compared item by item, and
several draws of demonstrations divide only the part of the variance within items.
"""

from __future__ import annotations

import math

from analysis.distributions import normal_quantile


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval (1927) of the share `successes / n`.

    >>> low, high = wilson_interval(81, 263)
    >>> round(low, 6), round(high, 6)
    (0.255289, 0.36621)
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def empirical_logit(successes: float, n: float) -> tuple[float, float]:
    """Empirical logit log((k + ½)/(n - k + ½)) and its variance, for shares near 0 and 1.

    >>> value, variance = empirical_logit(9, 10)
    >>> round(value, 7), round(variance, 7)
    (1.8458267, 0.7719298)
    """
    k, failures = successes + 0.5, n - successes + 0.5
    return math.log(k / failures), 1 / k + 1 / failures


def items_needed(
    difference: float,
    between_items: float,
    *,
    within_x: float = 0.0,
    within_y: float = 0.0,
    draws: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Number of items that show a difference of two models (Miller 2024, equation 9).

    `between_items` is the variance of the items' differences (ω²); `within_x` and `within_y` are
    the variances of one response's score given its item (σ²). ValueError for impossible input.

    >>> items_needed(0.03, 1 / 9)
    969
    """
    if difference == 0 or not math.isfinite(difference):
        raise ValueError(f"difference must be finite and not 0; found {difference}")
    variance = _variance(between_items, within_x, within_y, draws)
    return math.ceil(normal_quantiles(alpha, power) ** 2 * variance / difference**2)


def detectable_difference(
    n_items: int,
    between_items: float,
    *,
    within_x: float = 0.0,
    within_y: float = 0.0,
    draws: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Smallest difference that `n_items` show; the inverse of `items_needed`."""
    check_number("n_items", n_items, minimum=1)
    variance = _variance(between_items, within_x, within_y, draws)
    return normal_quantiles(alpha, power) * math.sqrt(variance / n_items)


def pairs_needed(
    r: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    per_family: float = 1.0,
    intra_family: float = 0.0,
) -> int:
    """Number of pairs that show a correlation `r`.

    ((z_{α/2} + z_β)/atanh r)² + 3 independent pairs, times 1 + (m - 1)·icc for families of
    `per_family` = m pairs on average and intra-family correlation `intra_family`. ValueError for
    impossible input.

    >>> pairs_needed(0.3), pairs_needed(0.5)
    (85, 30)
    """
    if r == 0 or not -1 < r < 1:
        raise ValueError(f"r must lie between -1 and 1 and not be 0; found {r}")
    check_number("per_family", per_family, minimum=1)
    check_number("intra_family", intra_family, minimum=0, maximum=1)
    independent = (normal_quantiles(alpha, power) / math.atanh(abs(r))) ** 2 + 3
    return math.ceil(independent * (1 + (per_family - 1) * intra_family))


def normal_quantiles(alpha: float, power: float) -> float:
    """z_{α/2} + z_β of a two-sided test; ValueError unless both lie between 0 and 1."""
    check_share("alpha", alpha)
    check_share("power", power)
    return float(normal_quantile(1 - alpha / 2) + normal_quantile(power))


def check_number(name: str, value: float, *, minimum: float, maximum: float = math.inf) -> None:
    """ValueError unless `value` is finite and within [minimum, maximum]."""
    if not (math.isfinite(value) and minimum <= value <= maximum):
        most = "" if math.isinf(maximum) else f" and at most {maximum:g}"
        raise ValueError(f"{name} must be at least {minimum:g}{most}; found {value}")


def check_share(name: str, value: float) -> None:
    """ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1; found {value}")


def _variance(between_items: float, within_x: float, within_y: float, draws: int) -> float:
    """Variance of one item's difference of scores, averaged over draws."""
    check_number("between_items", between_items, minimum=0)
    check_number("within_x", within_x, minimum=0)
    check_number("within_y", within_y, minimum=0)
    check_number("draws", draws, minimum=1)
    return between_items + (within_x + within_y) / draws
