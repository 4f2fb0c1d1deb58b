"""Two correlations: the tests of R's cocor; psych::r.test for Steiger's."""

from __future__ import annotations

import pytest

from analysis.statistics.correlation.dependent import (
    bonett_wright_interval,
    dunn_clark,
    fisher_interval,
    independent,
    meng,
    steiger,
    steiger_nonoverlapping,
    williams,
    zou,
)
from analysis.statistics.items.sampling import (
    pairs_needed,
)


def test_dependent_correlations() -> None:
    result = williams(0.3, 0.4, 0.5, 100)
    assert (result.statistic, result.p) == pytest.approx((-1.0767, 0.2843), abs=5e-5)
    assert steiger(0.4, 0.5, 0.1, 103).statistic == pytest.approx(-0.8887185, abs=5e-8)
    result = dunn_clark(0.5, 0.6, 0.7, 100)
    assert (result.statistic, result.p) == pytest.approx((-1.5838851123, 0.1132198659), abs=5e-11)
    result = meng(0.3, 0.4, 0.5, 100)
    assert (result.statistic, result.p) == pytest.approx((-1.0707, 0.2843), abs=5e-5)
    assert zou(0.396, 0.179, 0.088, 66) == pytest.approx((-0.093, 0.517), abs=5e-4)
    result = steiger_nonoverlapping(0.5, 0.6, 0.8, 0.5, 0.5, 0.7, 103)
    assert result.statistic == pytest.approx(-1.4050, abs=5e-5)
    result = independent(0.4, 100, 0.5, 100)
    assert (result.statistic, result.p) == pytest.approx((-0.8751012342, 0.3815188256), abs=5e-11)
    assert independent(0.657, 62, 0.430, 143).statistic == pytest.approx(2.110737, abs=5e-7)


def test_intervals_of_one_correlation() -> None:
    assert fisher_interval(0.5, 30) == pytest.approx((0.170432, 0.728959), abs=1e-6)
    assert bonett_wright_interval(0.6, 30) == pytest.approx((0.276057, 0.801533), abs=5e-7)
    assert (pairs_needed(0.3), pairs_needed(0.5)) == (85, 30)
