"""Numbers as papers print them."""

from __future__ import annotations

import math

import pytest

from analysis.formatting import number, probability


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.8712, ".87"), (-0.5, "−.50"), (1.0, "1.00"), (-0.999, "−1.00"), (math.nan, "--")],
)
def test_numbers_have_no_zero_before_the_point(value: float, expected: str) -> None:
    assert number(value) == expected


def test_probabilities_have_a_smallest_value() -> None:
    assert probability(0.0312) == ".031"
    assert probability(0.0002) == "<.001"
    assert probability(math.nan) == "--"
