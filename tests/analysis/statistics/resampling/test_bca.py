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


def test_a_correlation_that_fails_without_one_family_has_no_interval() -> None:
    x, y = [0.1, 0.1, 0.1, 0.5], [0.2, 0.4, 0.6, 0.1]
    interval = bca(x, y, Families.of("abcd"), rng=np.random.default_rng(0), draws=99)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.covers == ("items", "draws", "families")


def test_a_lower_level_gives_a_narrower_interval() -> None:
    x, y, families = related_pairs(2, families=12)
    wide, narrow = (
        bca(x, y, families, rng=np.random.default_rng(0), draws=999, level=level)
        for level in (0.99, 0.5)
    )
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.99


def test_the_interval_is_efrons_formula() -> None:
    """Bias from the share of resamples below the estimate, acceleration from the jackknife."""
    x, y, families = related_pairs(3, families=9)
    interval = bca(x, y, families, rng=np.random.default_rng(5), draws=499)
    counts = family_counts(families, draws=499, rng=np.random.default_rng(5))
    resampled = correlations_of_counts(x, y, families, counts)[:, 0]
    bias = stats.norm.ppf(np.mean(resampled < np.corrcoef(x, y)[0, 1]))
    replicates = np.array(
        [np.corrcoef(x[rest], y[rest])[0, 1] for _, rest in families.without_each()]
    )
    acceleration = stats.skew(-replicates) / (6 * math.sqrt(len(replicates)))
    z = bias + stats.norm.ppf([0.025, 0.975])
    ends = np.quantile(resampled, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    assert (interval.low, interval.high) == pytest.approx(ends)
