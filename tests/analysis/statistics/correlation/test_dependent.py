"""Two correlations: the tests of R's cocor; psych::r.test for Steiger's."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from scipy import stats

from analysis.statistics.correlation.dependent import (
    CorrelationComparison,
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


TESTS: list[tuple[Callable[..., CorrelationComparison], int]] = [
    (williams, 3),
    (steiger, 3),
    (dunn_clark, 3),
    (meng, 3),
    (steiger_nonoverlapping, 6),
]
"Tests of two correlations, with the number of correlations that each takes."


@pytest.mark.parametrize(("test", "number"), TESTS)
def test_exchanged_correlations_have_the_opposite_statistic_and_the_same_p(
    test: Callable[..., CorrelationComparison], number: int
) -> None:
    first, second = [0.6, 0.4, *[0.3] * (number - 2)], [0.4, 0.6, *[0.3] * (number - 2)]
    result, exchanged = test(*first, 50), test(*second, 50)
    assert result.difference == pytest.approx(0.2) == -exchanged.difference
    assert result.statistic > 0
    assert exchanged.statistic == pytest.approx(-result.statistic)
    assert exchanged.p == pytest.approx(result.p)
    tail = stats.t(47).sf if test is williams else stats.norm.sf
    assert result.p == pytest.approx(2 * tail(result.statistic))


def test_independent_correlations_are_exchanged_likewise() -> None:
    one, other = independent(0.6, 50, 0.4, 30), independent(0.4, 30, 0.6, 50)
    assert (one.statistic, one.difference) == pytest.approx((-other.statistic, 0.2))
    assert one.p == pytest.approx(other.p)
    assert one.n == 80


def test_zous_interval_of_exchanged_correlations_is_reflected() -> None:
    low, high = zou(0.7, 0.2, 0.4, 40)
    assert zou(0.2, 0.7, 0.4, 40) == pytest.approx((-high, -low))
    narrow = zou(0.7, 0.2, 0.4, 40, level=0.8)
    assert low < narrow[0] < 0.5 < narrow[1] < high


@pytest.mark.parametrize(("test", "number"), [*TESTS, (zou, 3)])
def test_four_observations_and_correlations_within_1_are_needed(
    test: Callable[..., object], number: int
) -> None:
    valid = [0.5, 0.4, *[0.3] * (number - 2)]
    test(*valid, 4)
    with pytest.raises(ValueError, match="3 observations are too few; 4 are needed"):
        test(*valid, 3)
    for i in range(number):
        for wrong in (1, -1):
            with pytest.raises(ValueError, match="must lie between -1 and 1, found"):
                test(*valid[:i], wrong, *valid[i + 1 :], 50)


@pytest.mark.parametrize("interval", [fisher_interval, bonett_wright_interval])
def test_intervals_of_one_correlation_need_the_same(interval: Callable[..., object]) -> None:
    interval(0.5, 4)
    for r, n in ((0.5, 3), (1.0, 50)):
        with pytest.raises(ValueError, match=r"are too few|must lie between"):
            interval(r, n)
        with pytest.raises(ValueError, match=r"are too few|must lie between"):
            independent(r, n, 0.2, 50)
        with pytest.raises(ValueError, match=r"are too few|must lie between"):
            independent(0.2, 50, r, n)


def test_level_of_intervals() -> None:
    """99 % of the normal distribution lie within 2.575829 standard deviations."""
    reach = 2.575829 / math.sqrt(27)
    assert fisher_interval(0.0, 30, level=0.99)[1] == pytest.approx(math.tanh(reach), abs=1e-7)
    assert bonett_wright_interval(0.0, 30, level=0.99)[1] == pytest.approx(
        math.tanh(reach), abs=1e-7
    )
