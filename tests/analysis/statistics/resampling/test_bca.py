"""The bootstrap over families: resampled correlations, and scipy with families of one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from analysis.statistics.families import Families
from analysis.statistics.resampling.bca import (
    bca,
    correlations_of_counts,
    family_counts,
)
from tests.analysis.samples import (
    SEEDS,
    related_pairs,
    several,
)


@several
@given(SEEDS)
def test_resampled_correlations_are_those_of_the_resampled_pairs(seed: int) -> None:
    x, y, families = related_pairs(seed)
    counts = family_counts(families, draws=5, rng=np.random.default_rng(seed))
    resampled = correlations_of_counts(np.stack([x, x**3]), np.stack([y, y]), families, counts)
    labels = np.asarray(families.labels)
    for row, draw in zip(resampled, counts, strict=True):
        times = [int(draw[families.names.index(label)]) for label in labels]
        chosen = np.repeat(np.arange(len(x)), times)
        for value, scores in zip(row, (x, x**3), strict=True):
            if np.ptp(scores[chosen]) > 0 and np.ptp(y[chosen]) > 0:
                expected = np.corrcoef(scores[chosen], y[chosen])[0, 1]
                assert value == pytest.approx(expected, abs=1e-9)
            else:
                assert math.isnan(value)


def test_bca_with_families_of_one_is_scipys() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    ours = bca(x, y, Families.of(list(range(30))), rng=np.random.default_rng(0), draws=40_000)
    theirs = stats.bootstrap(
        (x, y),
        lambda a, b: np.corrcoef(a, b)[0, 1],
        paired=True,
        vectorized=False,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
