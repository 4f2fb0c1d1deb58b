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
