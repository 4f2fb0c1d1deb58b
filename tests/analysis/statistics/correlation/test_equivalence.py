"""Equivalence tests agree with their interval."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from analysis.statistics.correlation.equivalence import equivalence


def test_equivalence_is_the_interval_within_the_bound() -> None:
    for r in (0.0, 0.1, 0.25, -0.2):
        result = equivalence(r, bound=0.3, n=60)
        assert (result.p < 0.05) == (result.low > -0.3 and result.high < 0.3)
    assert equivalence(0.0, bound=0.3, n=30).smallest_bound == pytest.approx(
        math.tanh(1.644854 / math.sqrt(27))
    )
    families = equivalence(0.0, bound=0.3, error=0.1, n_families=8)
    assert families.smallest_bound == pytest.approx(math.tanh(stats.t.ppf(0.95, 7) * 0.1))
    with pytest.raises(ValueError, match="bound"):
        equivalence(0.1, bound=1.2, n=30)


def test_p_is_the_larger_of_two_one_sided_tests() -> None:
    """With n = 103 the standard error is .1; atanh(.3) is .309520."""
    for r, tail in ((0.0, 3.09520), (0.1, 2.09185), (-0.1, 2.09185)):
        result = equivalence(r, bound=0.3, n=103)
        assert result.p == pytest.approx(stats.norm.sf(tail), rel=1e-3)
    families = equivalence(0.1, bound=0.3, error=0.1, n_families=8)
    assert families.p == pytest.approx(stats.t.sf(2.09185, 7), rel=1e-3)
    reach = stats.t.ppf(0.9, 7) * 0.1
    strict = equivalence(0.1, bound=0.3, error=0.1, n_families=8, alpha=0.1)
    ends = (math.tanh(math.atanh(0.1) - reach), math.tanh(math.atanh(0.1) + reach))
    assert (strict.low, strict.high) == pytest.approx(ends)


@pytest.mark.parametrize("arguments", [{}, {"error": 0.1}, {"n_families": 8}])
def test_a_standard_error_is_needed(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give n, or error and n_families"):
        equivalence(0.1, bound=0.3, **arguments)


@pytest.mark.parametrize("bound", [0, 1, -0.1])
def test_a_bound_lies_between_0_and_1(bound: float) -> None:
    with pytest.raises(ValueError, match="bound must lie between 0 and 1"):
        equivalence(0.1, bound=bound, n=30)
