"""Equivalence tests agree with their interval."""

from __future__ import annotations

import math

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
