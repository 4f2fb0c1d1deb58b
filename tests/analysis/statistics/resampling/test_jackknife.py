"""The family jackknife: its limits, and the fast one for many tasks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.families import Families
from analysis.statistics.resampling.bca import (
    leave_one_family_out,
)
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from tests.analysis.samples import (
    SEEDS,
    related_pairs,
    several,
)


@several
@given(SEEDS)
def test_the_fast_jackknife_is_the_slow_one(seed: int) -> None:
    x, y, families = related_pairs(seed)
    slow = family_jackknife(lambda rest: fisher_z(np.corrcoef(x[rest], y[rest])[0, 1]), families)
    fast = np.arctanh(leave_one_family_out(x, y, families)[:, 0])
    assert slow.replicates[:, 0] == pytest.approx(fast, abs=1e-9)
    interval, p, note = slow.interval(fisher=True)
    result = correlate(x, y, families)
    assert (interval.low, interval.high, p) == pytest.approx(
        (result.interval.low, result.interval.high, result.jackknife_p), abs=1e-9
    )
    assert note == result.note


def test_families_of_one_are_the_ordinary_jackknife() -> None:
    x, y, _ = related_pairs(4)
    alone = Families.of(list(range(len(x))))
    n = len(x)
    result = family_jackknife(lambda rest: float(np.mean(x[rest])), alone)
    assert float(result.covariance[0, 0]) == pytest.approx(x.var(ddof=1) / n)
    of_y = family_jackknife(lambda rest: [np.mean(x[rest]), np.mean(y[rest])], alone)
    assert of_y.covariance[0, 1] == pytest.approx(np.cov(x, y)[0, 1] / n)


def test_notes_say_why_there_is_no_interval() -> None:
    families = Families.of("abc")

    def note(values: dict[int, float], groups: Families = families) -> str:
        interval, p, text = family_jackknife(
            lambda rest: values[int(rest.sum())], groups
        ).interval()
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert math.isnan(p)
        return text

    assert note({2: 0.1, 1: 0.2}, Families.of("ab")) == "no interval: 2 families, 3 are needed"
    assert note({3: math.nan, 2: 0.1}) == "not estimable"
    assert note({3: 0.1, 2: math.nan}) == "no interval: not estimable without a"
    assert note({3: 0.1, 2: 0.1}) == "no interval: no family changes the estimate"


def test_intervals_of_each_statistic_at_any_level() -> None:
    x, y, _ = related_pairs(4)
    n = len(x)
    alone = Families.of(list(range(n)))
    means = family_jackknife(lambda rest: np.array([x[rest].mean(), y[rest].mean()]), alone)
    for index, values in enumerate((x, y)):
        interval, p, note = means.interval(index, level=0.9)
        expected = stats.ttest_1samp(values, 0)
        assert p == pytest.approx(expected.pvalue)
        assert (interval.low, interval.high) == pytest.approx(expected.confidence_interval(0.9))
        assert note == ""
    assert math.isnan(fisher_z(-1.0))
    assert math.isnan(fisher_z(1.2))
    assert fisher_z(-0.5) == pytest.approx(-0.5493061)
