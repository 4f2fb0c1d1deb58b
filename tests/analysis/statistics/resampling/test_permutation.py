"""Permutation tests clustered by family."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from analysis.statistics.families import Families
from analysis.statistics.resampling.permutation import Scheme, permutation_test
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


def studentised(x: Any, y: Any) -> float:
    """|t| of the products of deviations, which DiCiccio & Romano (2017) permute."""
    products = (x - x.mean()) * (y - y.mean())
    return abs(float(products.mean() / np.sqrt((products**2).mean())))


def test_p_is_the_share_of_all_orders_that_are_as_extreme() -> None:
    x, y, families = related_pairs(3, families=4)
    rng = np.random.default_rng(0)
    means = families.members() / families.members().sum(1, keepdims=True)
    mx, my = means @ x, means @ y
    orders = [studentised(mx, my[list(order)]) for order in itertools.permutations(range(4))]
    result = permutation_test(x, y, families, scheme="family means", rng=rng)
    assert result.p == np.mean([value >= studentised(mx, my) - 1e-12 for value in orders])
    assert result.smallest_p == 1 / 24


def test_p_within_families_is_that_of_all_orders_of_each() -> None:
    x, y = np.array([0.1, 0.5, 0.2, 0.9, 0.6]), np.array([0.3, 0.4, 0.1, 0.7, 0.8])
    families = Families.of("aabbb")
    result = permutation_test(
        x, y, families, scheme="within families", rng=np.random.default_rng(0)
    )
    dx, dy = (np.concatenate([v[:2] - v[:2].mean(), v[2:] - v[2:].mean()]) for v in (x, y))
    values = [
        studentised(dx, dy[[*first, *second]])
        for first in itertools.permutations((0, 1))
        for second in itertools.permutations((2, 3, 4))
    ]
    assert (result.rearrangements, result.enumerated) == (12, True)
    assert result.p == np.mean([value >= studentised(dx, dy) - 1e-12 for value in values])


def test_p_of_signs_is_the_share_of_all_sign_vectors() -> None:
    x, y, families = related_pairs(6, families=5)
    contributions = families.members() @ ((x - x.mean()) * (y - y.mean()))
    signs = np.array(list(itertools.product((1, -1), repeat=5)))
    sums = np.abs(signs @ contributions)
    result = permutation_test(x, y, families, scheme="family signs", rng=np.random.default_rng(0))
    assert result.p == np.mean(sums >= abs(contributions.sum()) - 1e-12)
    assert (result.rearrangements, result.smallest_p) == (32, 1 / 32)
    assert "all 32 rearrangements of family signs" in result.sentence()


def test_up_to_ten_thousand_sign_vectors_are_enumerated() -> None:
    rng = np.random.default_rng(0)
    for families, number in ((13, 2**13), (14, 99)):
        x, y, groups = related_pairs(6, families=families)
        result = permutation_test(x, y, groups, scheme="family signs", rng=rng, draws=99)
        assert (result.enumerated, result.rearrangements) == (families == 13, number)


@pytest.mark.parametrize("scheme", ["family means", "family signs", "within families"])
def test_random_rearrangements_count_the_data_as_one_more(scheme: Scheme) -> None:
    x, _, families = related_pairs(6, families=16)
    result = permutation_test(
        x, x, families, scheme=scheme, rng=np.random.default_rng(0), draws=199
    )
    assert not result.enumerated
    assert result.rearrangements == 199
    assert "random 199 rearrangements" in result.sentence()
    assert result.smallest_p == 1 / 200 <= result.p <= 2 / 200
    unrelated = permutation_test(
        x, np.random.default_rng(1).normal(size=len(x)), families, scheme=scheme,
        rng=np.random.default_rng(0), draws=199,
    )  # fmt: skip
    assert unrelated.p > 0.05
    assert (unrelated.p * 200) % 1 == pytest.approx(0, abs=1e-9)
