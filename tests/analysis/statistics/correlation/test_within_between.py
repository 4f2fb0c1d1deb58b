"""Within and between families: R's rmcorr on bland1995."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from analysis.statistics.correlation.within_between import within_between
from analysis.statistics.families import Families
from tests.analysis.samples import (
    anchor,
    related_pairs,
)


def test_within_is_rmcorrs_repeated_measures_correlation() -> None:
    data = anchor("bland1995")
    result = within_between(data["pH"], data["PaCO2"], Families.of(list(data["Subject"])))
    assert result.within == pytest.approx(-0.5067698, abs=5e-7)
    assert result.within_df == 38
    assert result.within_p == pytest.approx(0.0008471081, abs=5e-9)
    ends = result.within_low, result.within_high
    assert ends == pytest.approx((-0.7067146, -0.2318632), abs=5e-7)
    assert result.pooled == pytest.approx(-0.0652, abs=5e-5)
    assert result.between == pytest.approx(0.0818, abs=5e-5)


def test_within_families_needs_families_of_two() -> None:
    x, y, _ = related_pairs(1)
    result = within_between(x, y, Families.of(list(range(len(x)))))
    assert math.isnan(result.within)
    assert result.n_within == 0
    assert result.between == pytest.approx(result.pooled)


def test_degrees_of_freedom_are_pairs_less_families_less_one() -> None:
    x = [0.1, 0.4, 0.2, 0.9, 0.5, 0.7, 0.3]
    y = [0.3, 0.2, 0.4, 0.6, 0.8, 0.5, 0.1]
    result = within_between(x, y, Families.of("aabbccd"))
    assert (result.within_df, result.n_within) == (7 - 4 - 1, 6)
    assert math.isfinite(result.within)
    assert math.isnan(result.within_p), "two degrees of freedom give no interval"
    more = within_between(x, y, Families.of("aabbccc"), level=0.9)
    assert (more.within_df, more.n_within) == (3, 7)
    reach = stats.norm.ppf(0.95) / math.sqrt(2)
    assert more.within_high == pytest.approx(math.tanh(math.atanh(more.within) + reach))
    assert math.isfinite(more.between), "three families"
    two = within_between(x, y, Families.of("aaabbbb"))
    assert math.isnan(two.between)
    assert two.pooled == result.pooled


def test_one_degree_of_freedom_gives_a_correlation_and_none_gives_nan() -> None:
    x, y = [0.1, 0.4, 0.2, 0.9], [0.3, 0.2, 0.4, 0.6]
    assert math.isfinite(within_between(x, y, Families.of("aabb")).within)
    assert math.isnan(within_between(x, y, Families.of("aabc")).within)
