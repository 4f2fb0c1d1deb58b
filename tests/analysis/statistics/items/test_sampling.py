"""Intervals of shares and sample sizes: Miller 2024 (arXiv 2411.00640), Newcombe 1998."""

from __future__ import annotations

import pytest

from analysis.statistics.items.sampling import (
    detectable_difference,
    empirical_logit,
    items_needed,
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
