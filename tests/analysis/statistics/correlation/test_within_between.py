"""Within and between families: R's rmcorr on bland1995."""

from __future__ import annotations

import math

import pytest

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
