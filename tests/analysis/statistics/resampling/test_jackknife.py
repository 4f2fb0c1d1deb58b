"""The family jackknife: its limits, and the fast one for many tasks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

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
