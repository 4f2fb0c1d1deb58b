"""Permutation tests clustered by family."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics.families import Families
from analysis.statistics.resampling.permutation import permutation_test
from analysis.statistics.resampling.wild_bootstrap import wild_test
from tests.analysis.samples import (
    related_pairs,
)


def test_family_means_are_permuted_in_all_ways() -> None:
    x, y, families = related_pairs(3, families=4)
    result = permutation_test(x, y, families, scheme="family means", rng=np.random.default_rng(0))
    assert result.enumerated
    assert result.rearrangements == 24
    assert (result.p * 24) % 1 == pytest.approx(0, abs=1e-9)


def test_permuting_within_families_ignores_differences_between_them() -> None:
    rng = np.random.default_rng(0)
    families = Families.of(np.repeat(list("abcdefghij"), 4).tolist())
    level = np.repeat(np.arange(10) * 10.0, 4)
    x, y = level + rng.normal(size=40), level + rng.normal(size=40)
    within = permutation_test(x, y, families, scheme="within families", rng=rng)
    means = permutation_test(x, y, families, scheme="family means", rng=rng)
    assert means.p < 0.03 < 0.05 < within.p


def test_constant_scores_have_no_p() -> None:
    x, _, families = related_pairs(0)
    rng = np.random.default_rng(0)
    assert math.isnan(wild_test(np.ones_like(x), x, families, rng=rng).p)
    assert math.isnan(wild_test(x, np.ones_like(x), families, rng=rng).p)
    scheme = "family means"
    assert math.isnan(permutation_test(x, np.ones_like(x), families, scheme=scheme, rng=rng).p)
