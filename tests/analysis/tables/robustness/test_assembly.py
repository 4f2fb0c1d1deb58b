"""Rows of the robustness table have the same columns, with or without a number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics.correlation.correlate import correlate
from analysis.tables.robustness.assembly import (
    correlation_row,
    empty_row,
    jackknife_row,
    pearson,
)
from tests.analysis.samples import related_pairs


def test_a_jackknifed_correlation_is_that_of_correlate() -> None:
    x, y, families = related_pairs(2)
    plain = correlation_row("c", x, y, families)
    row = jackknife_row("c", lambda rest: pearson(x[rest], y[rest]), families)
    expected = correlate(x, y, families)
    assert plain["p"] == expected.p
    assert row["p"] == pytest.approx(expected.jackknife_p)
    for column in ("estimate", "low", "high"):
        assert row[column] == pytest.approx(plain[column])
    assert list(row) == list(plain) == list(empty_row("c", families, "why"))


def test_too_few_pairs_have_no_correlation() -> None:
    assert math.isnan(pearson(np.array([0.1, 0.2]), np.array([0.3, 0.1])))
    _, _, families = related_pairs(2)
    row = empty_row("c", families, "why")
    assert row["note"] == "why"
    assert math.isnan(row["estimate"])
