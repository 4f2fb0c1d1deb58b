"""Estimators do not depend on names of families, the order of pairs, or scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.within_between import within_between
from analysis.statistics.families import Families
from analysis.statistics.resampling.permutation import permutation_test
from analysis.statistics.resampling.wild_bootstrap import wild_test
from tests.analysis.samples import (
    SEEDS,
    related_pairs,
    several,
)


def renamed(families: Families) -> Families:
    return Families.of([f"z{9 - families.names.index(label)}" for label in families.labels])


def clustered_estimates(x: Any, y: Any, families: Families) -> list[float]:
    """One number of each estimator that knows families."""
    result = correlate(x, y, families)
    within = within_between(x, y, families)
    rng = np.random.default_rng(0)
    return [
        result.estimate,
        result.interval.low,
        result.interval.high,
        within.between,
        within.within,
        wild_test(x, y, families, rng=rng).p,
        permutation_test(x, y, families, scheme="family signs", rng=rng).p,
    ]


@several
@given(SEEDS)
def test_names_of_families_order_of_pairs_and_scales_do_not_matter(seed: int) -> None:
    x, y, families = related_pairs(seed)
    expected = clustered_estimates(x, y, families)
    assert clustered_estimates(x, y, renamed(families)) == pytest.approx(
        expected, abs=1e-9, nan_ok=True
    )
    assert clustered_estimates(3 * x - 1, 0.1 * y + 7, families) == pytest.approx(
        expected, abs=1e-9, nan_ok=True
    )
    order = np.random.default_rng(seed).permutation(len(x))
    moved = Families.of([families.labels[i] for i in order])
    assert clustered_estimates(x[order], y[order], moved) == pytest.approx(
        expected, abs=1e-9, nan_ok=True
    )
