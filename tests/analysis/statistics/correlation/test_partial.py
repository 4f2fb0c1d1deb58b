"""Partial correlations: the formula, pingouin, and model size as a confounder."""

from __future__ import annotations

import math

import numpy as np
import pingouin
import pytest
from scipy import stats

from analysis.statistics.correlation.coefficients import Coefficient
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


def test_two_covariates_are_regressed_out_and_cost_a_degree_of_freedom_each() -> None:
    data = pingouin.read_dataset("partial_corr")
    covariates = ["cv1", "cv2"]
    result = partial_correlation(data["x"], data["y"], data[covariates])
    expected = pingouin.partial_corr(data, "x", "y", covariates).iloc[0]
    assert result.estimate == pytest.approx(expected["r"], abs=1e-9)
    assert result.df == 30 - 2 - 2
    t = result.estimate * math.sqrt(result.df / (1 - result.estimate**2))
    assert result.p == pytest.approx(2 * stats.t.sf(abs(t), 26))
    assert result.n_covariates == 2


@pytest.mark.parametrize(("coefficient", "widening"), [("pearson", 1.0), ("spearman", 1.5)])
def test_intervals_have_the_standard_error_of_n_less_k_less_3(
    coefficient: Coefficient, widening: float
) -> None:
    """At r = 1 Bonett & Wright's variance would be 1.5 times Fisher's; at 0 they are equal."""
    rng = np.random.default_rng(3)
    x, y, z = rng.normal(size=(3, 30))
    result = partial_correlation(x, y, z, coefficient=coefficient, level=0.9)
    variance = (1 + (widening - 1) * result.estimate**2) / (30 - 1 - 3)
    reach = stats.norm.ppf(0.95) * math.sqrt(variance)
    center = math.atanh(result.estimate)
    ends = (math.tanh(center - reach), math.tanh(center + reach))
    assert (result.low, result.high) == pytest.approx(ends, rel=1e-9)


def test_too_few_pairs_are_an_error_and_a_perfect_correlation_has_no_interval() -> None:
    x = np.array([0.1, 0.5, 0.3, 0.9])
    with pytest.raises(ValueError, match="4 pairs are too few for 1 covariates"):
        partial_correlation(x, x**2, [1, 2, 3, 5])
    five = np.append(x, 0.4)
    assert partial_correlation(five, five**2, [1, 2, 3, 5, 4]).df == 2
    perfect = partial_correlation(five, -five, np.zeros(5))
    assert perfect.estimate == -1
    assert math.isnan(perfect.p)
    assert math.isnan(perfect.low)


def test_covariates_of_spearman_are_ranked() -> None:
    rng = np.random.default_rng(4)
    x, y, z = rng.normal(size=(3, 30))
    by_rank = partial_correlation(x, y, np.column_stack([z, z**2]), coefficient="spearman")
    ranks = [stats.rankdata(values) for values in (x, y)]
    covariates = np.column_stack([stats.rankdata(z), stats.rankdata(z**2)])
    assert by_rank.estimate == pytest.approx(partial_correlation(*ranks, covariates).estimate)
