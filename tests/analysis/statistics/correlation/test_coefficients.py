"""Coefficients are scipy's, also with ties and rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.correlation.coefficients import coefficient_of, ranks


def test_coefficients_are_scipys() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), np.round(rng.normal(size=30), 1)
    assert coefficient_of(x, y, "pearson") == pytest.approx(stats.pearsonr(x, y)[0], rel=1e-12)
    assert coefficient_of(x, y, "spearman") == pytest.approx(stats.spearmanr(x, y)[0], rel=1e-12)
    assert coefficient_of(x, y, "kendall") == pytest.approx(stats.kendalltau(x, y)[0], rel=1e-12)
    assert math.isnan(coefficient_of(x, np.ones(30), "pearson"))


def test_values_that_differ_by_rounding_are_tied() -> None:
    assert ranks(np.array([0.1 + 0.2, 0.3, 0.5])).tolist() == [1.5, 1.5, 3.0]


def test_ranks_do_not_depend_on_the_scale() -> None:
    values = np.array([1.0, 3.0, 2.0, 3.0])
    for scale in (1e-15, 1.0, 1e15):
        assert ranks(scale * values).tolist() == [1.0, 3.5, 2.0, 3.5]
    assert ranks(np.zeros(3)).tolist() == [2.0, 2.0, 2.0]


def test_rounding_gives_no_correlation_beyond_1() -> None:
    rng = np.random.default_rng(0)
    for x in rng.normal(size=(200, 7)):
        assert 1 - 1e-12 < coefficient_of(x, 0.1 * x + 0.3, "pearson") <= 1
        assert -1 <= coefficient_of(x, 0.3 - 0.1 * x, "pearson") < -1 + 1e-12


def test_ties_count_as_scipy_counts_them() -> None:
    rng = np.random.default_rng(0)
    for n in range(2, 60):
        x, y = rng.integers(0, 1 + rng.integers(2, 40), (2, n)).astype(float)
        expected = float(stats.kendalltau(x, y).statistic)
        assert coefficient_of(x, y, "kendall") == pytest.approx(expected, rel=1e-12, nan_ok=True)
        assert ranks(x).tolist() == stats.rankdata(x).tolist()
