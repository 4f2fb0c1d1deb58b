"""Intervals of shares and sample sizes: Miller 2024 (arXiv 2411.00640), Newcombe 1998."""

from __future__ import annotations

import math
import re

import pytest

from analysis.statistics.items.sampling import (
    detectable_difference,
    empirical_logit,
    items_needed,
    pairs_needed,
    wilson_interval,
)


def test_items_needed_and_detectable_difference() -> None:
    assert items_needed(0.03, 1 / 9) == 969
    one = detectable_difference(198, 1 / 9, within_x=1 / 6, within_y=1 / 6, draws=1)
    ten = detectable_difference(198, 1 / 9, within_x=1 / 6, within_y=1 / 6, draws=10)
    assert one == pytest.approx(0.1327333, abs=5e-8)
    assert ten == pytest.approx(0.0756696, abs=5e-8)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.255289, 0.366210), (0, 20, 0, 0.161125), (1, 29, 0.006113, 0.171755)],
)
def test_wilson(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-7)


def test_empirical_logit() -> None:
    assert empirical_logit(9, 10) == pytest.approx((1.8458267, 0.7719298), abs=5e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"between_items": -1}, "between_items must be at least 0; found -1"),
        ({"between_items": math.nan}, "between_items must be at least 0; found nan"),
        ({"difference": 0}, "difference must be finite and not 0; found 0"),
        ({"within_x": -0.1}, "within_x must be at least 0; found -0.1"),
        ({"within_y": -0.1}, "within_y must be at least 0; found -0.1"),
        ({"draws": 0}, "draws must be at least 1; found 0"),
        ({"alpha": 1.5}, "alpha must lie between 0 and 1; found 1.5"),
        ({"power": 1}, "power must lie between 0 and 1; found 1"),
    ],
)
def test_impossible_input_is_an_error(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        items_needed(**{"difference": 0.03, "between_items": 1 / 9, **arguments})  # type: ignore[arg-type]
    others = {name: value for name, value in arguments.items() if name != "difference"}
    if others:
        with pytest.raises(ValueError, match=re.escape(message)):
            detectable_difference(100, **{"between_items": 1 / 9, **others})  # type: ignore[arg-type]


def test_sample_sizes_that_are_impossible_are_errors() -> None:
    with pytest.raises(ValueError, match="n_items must be at least 1; found 0"):
        detectable_difference(0, 0.25)
    for r in (0, 1, -1.5, math.nan):
        with pytest.raises(ValueError, match="r must lie between -1 and 1 and not be 0"):
            pairs_needed(r)
    with pytest.raises(ValueError, match=r"per_family must be at least 1; found 0\.5"):
        pairs_needed(0.3, per_family=0.5)
    with pytest.raises(ValueError, match="intra_family must be at least 0 and at most 1; found 2"):
        pairs_needed(0.3, intra_family=2)
    assert pairs_needed(-0.3) == pairs_needed(0.3)


def test_numbers_of_items_and_pairs_at_other_levels() -> None:
    """z at .005 and .9 are 2.575829 and 1.281552."""
    z = 2.575829 + 1.281552
    strict = {"alpha": 0.01, "power": 0.9}
    variance = 0.2 + (0.1 + 0.3) / 4
    given = {"between_items": 0.2, "within_x": 0.1, "within_y": 0.3, "draws": 4, **strict}
    assert items_needed(0.05, **given) == math.ceil(z**2 * variance / 0.05**2)  # type: ignore[arg-type]
    assert items_needed(-0.05, **given) == items_needed(0.05, **given)  # type: ignore[arg-type]
    n = items_needed(0.05, **given)  # type: ignore[arg-type]
    assert detectable_difference(n, **given) <= 0.05 < detectable_difference(n - 1, **given)  # type: ignore[arg-type]
    independent = (z / math.atanh(0.5)) ** 2 + 3
    assert pairs_needed(0.5, **strict) == math.ceil(independent)
    clustered = pairs_needed(0.5, **strict, per_family=3, intra_family=0.5)
    assert clustered == math.ceil(2 * independent)
    assert detectable_difference(1, 0.25) > 1
    assert items_needed(1e-9, 0) == 0


def test_the_level_of_wilsons_interval() -> None:
    """At 50 of 100: (.5 + z²/200 ± z√(.25/100 + z²/40000))/(1 + z²/100)."""
    z = 1.6448536
    center, reach = 0.5 + z**2 / 200, z * math.sqrt(0.0025 + z**2 / 40000)
    ends = ((center - reach) / (1 + z**2 / 100), (center + reach) / (1 + z**2 / 100))
    assert wilson_interval(50, 100, level=0.9) == pytest.approx(ends)
