"""Partial correlations: the formula, pingouin, and model size as a confounder."""

from __future__ import annotations

import math

import numpy as np
import pingouin
import pytest

from analysis.statistics.correlation.partial import partial_correlation


def test_partial_correlation_is_the_formula() -> None:
    """r_xy.z = (r_xy - r_xz r_yz) / √((1 - r_xz²)(1 - r_yz²)) for one covariate."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=30)
    x, y = z + rng.normal(size=30), z - rng.normal(size=30)
    rxy, rxz, ryz = (np.corrcoef(a, b)[0, 1] for a, b in ((x, y), (x, z), (y, z)))
    expected = (rxy - rxz * ryz) / math.sqrt((1 - rxz**2) * (1 - ryz**2))
    assert partial_correlation(x, y, z).estimate == pytest.approx(expected, abs=1e-12)


def test_partial_correlation_of_pingouin() -> None:
    """pg.partial_corr(pg.read_dataset("partial_corr"), "x", "y", "cv1")"""
    data = pingouin.read_dataset("partial_corr")
    result = partial_correlation(data["x"], data["y"], data["cv1"])
    assert len(data) == 30
    assert result.estimate == pytest.approx(0.568169, abs=5e-7)
    assert result.p == pytest.approx(0.001303, abs=5e-7)
    assert (round(result.low, 2), round(result.high, 2)) == (0.25, 0.77)


def test_a_correlation_due_to_size_vanishes_given_size() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=200)
    x, y = size + rng.normal(size=200) * 0.3, size + rng.normal(size=200) * 0.3
    assert np.corrcoef(x, y)[0, 1] > 0.85
    result = partial_correlation(x, y, size)
    assert result.low < 0 < result.high
    ranks = partial_correlation(np.exp(x), y, size, coefficient="spearman")
    assert ranks.estimate == pytest.approx(
        partial_correlation(x, y, size, coefficient="spearman").estimate
    )
