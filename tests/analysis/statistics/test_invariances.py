"""Estimators do not depend on names of families, the order of pairs, or scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.partial import partial_correlation
from analysis.statistics.correlation.within_between import within_between
from analysis.statistics.disattenuation.likelihood import by_likelihood
from analysis.statistics.families import Families
from analysis.statistics.items.clustered_errors import paired_standard_error
from analysis.statistics.multilevel.meta_analysis import meta_analysis
from analysis.statistics.multilevel.mixed_model import mixed_model
from analysis.statistics.resampling.bca import correlations_of_counts
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


def test_nullable_columns_are_numbers() -> None:
    """Frames may hold numbers as objects, with a marker for missing ones."""
    x, y, families = related_pairs(3)
    nullable = [pd.Series(values, dtype="Float64") for values in (x, y)]
    expected = clustered_estimates(x, y, families)
    assert clustered_estimates(*nullable, families) == pytest.approx(expected)
    variances, counts = pd.Series(np.full(len(x), 0.5), dtype="Float64"), np.ones((1, 6))
    for estimate in (
        lambda a, b: mixed_model(a, {"one": 1.0, "b": b}, {}, known=variances).coefficients,
        lambda a, b: meta_analysis(a, variances).coefficients,
        lambda a, b: partial_correlation(a, b, a**2).estimate,
        lambda a, b: by_likelihood(a, b, np.zeros((len(x), 2, 2))).rho,
        lambda a, b: correlations_of_counts(a, b, families, counts)[0],
        lambda a, b: paired_standard_error(a, b),
    ):
        assert estimate(*nullable) == pytest.approx(estimate(x, y))  # type: ignore[no-untyped-call]
