"""Hotelling's test: the t test for one statistic, the textbook's formula for several."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.families import Families
from analysis.statistics.resampling.hotelling import hotelling_test
from analysis.statistics.resampling.jackknife import family_jackknife

RNG = np.random.default_rng(0)
VALUES = RNG.normal(0.5, 1, (12, 3))
ALONE = Families.of(list(range(12)))


def test_one_statistic_is_the_t_test() -> None:
    result = hotelling_test(family_jackknife(lambda rest: VALUES[rest, 0].mean(), ALONE))
    expected = stats.ttest_1samp(VALUES[:, 0], 0)
    assert result.f == pytest.approx(expected.statistic**2)
    assert result.p == pytest.approx(expected.pvalue)


def test_means_of_independent_observations_give_hotellings_formula() -> None:
    """With families of one the jackknife's covariance of means is the sample covariance over n."""
    result = hotelling_test(family_jackknife(lambda rest: VALUES[rest].mean(0), ALONE))
    mean = VALUES.mean(0)
    t2 = 12 * mean @ np.linalg.inv(np.cov(VALUES.T)) @ mean
    assert result.f == pytest.approx((12 - 3) / (3 * 11) * t2)
    assert (result.df_numerator, result.df_denominator) == (3, 9)


def test_too_few_families_are_an_error() -> None:
    families = Families.of(list("aaaabbbbcccc"))
    with pytest.raises(ValueError, match="3 statistics need at least 5 families; found 3"):
        hotelling_test(family_jackknife(lambda rest: VALUES[rest].mean(0), families))


def test_two_more_families_than_statistics_are_enough() -> None:
    values = VALUES[:5]
    result = hotelling_test(
        family_jackknife(lambda rest: values[rest].mean(0), Families.of("abcde"))
    )
    assert (result.df_numerator, result.df_denominator) == (3, 2)
    assert result.p == pytest.approx(stats.f.sf(result.f, 3, 2))
