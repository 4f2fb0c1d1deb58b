"""The wild cluster restricted bootstrap: wildboottest, and the smallest attainable p."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from analysis.statistics.families import Families
from analysis.statistics.resampling.wild_bootstrap import smallest_p, wild_test
from tests.analysis.samples import (
    anchor,
    related_pairs,
)


def test_wild_bootstrap_of_wildboottest() -> None:
    """wildboottest 0.3.2, ols("PaCO2 ~ pH", bland1995), param "pH", cluster Subject, Rademacher,
    "11", null imposed, all 256 sign vectors: t -.172781, p .867188, which leaves out the two sign
    vectors that are the data itself; an exact test counts them (Phipson & Smyth 2010)."""
    data = anchor("bland1995")
    families = Families.of(list(data["Subject"]))
    result = wild_test(data["pH"], data["PaCO2"], families, rng=np.random.default_rng(0))
    assert result.t == pytest.approx(-0.172781, abs=5e-7)
    assert result.p - 2 / 256 == pytest.approx(0.867188, abs=5e-7)


def test_the_smallest_attainable_p_is_reached() -> None:
    x = np.arange(10.0)
    families = Families.of("aabbccddee")
    result = wild_test(x, x + np.tile([0.01, -0.01], 5), families, rng=np.random.default_rng(0))
    assert result.enumerated
    assert result.draws == 32
    assert result.p == result.smallest_p == 2 / 32


def test_rng_is_used_only_beyond_twelve_families() -> None:
    x, y, families = related_pairs(8, families=12, slope=0.0)
    whole = wild_test(x, y, families, rng=np.random.default_rng(0)).p
    assert wild_test(x, y, families, rng=np.random.default_rng(1)).p == whole
    x, y, families = related_pairs(8, families=13, slope=0.0)
    ps = [wild_test(x, y, families, rng=np.random.default_rng(i)).p for i in range(2)]
    assert ps[0] == pytest.approx(ps[1], abs=0.02)


def test_p_is_the_share_of_sign_vectors_with_as_large_a_t() -> None:
    """By statsmodels: the residuals of a mean, with a family's signs, and the clustered t."""
    x, y, families = related_pairs(2, families=5, slope=0.1)
    groups = families.members().argmax(0)

    def t(values: Any) -> float:
        fit = sm.OLS(values, sm.add_constant(x)).fit(
            cov_type="cluster", cov_kwds={"groups": groups}
        )
        return float(fit.tvalues[1])

    result = wild_test(x, y, families, rng=np.random.default_rng(0))
    assert result.t == pytest.approx(t(y))
    signs = itertools.product((1, -1), repeat=5)
    resampled = [abs(t(y.mean() + (y - y.mean()) * np.array(s)[groups])) for s in signs]
    assert result.p == np.mean([value >= abs(t(y)) - 1e-9 for value in resampled])


def test_random_sign_vectors_count_the_data_as_one_more() -> None:
    x, _, families = related_pairs(8, families=13)
    result = wild_test(x, x + 1e-3 * x**2, families, rng=np.random.default_rng(0), draws=99)
    assert not result.enumerated
    assert (result.draws, result.n_families) == (99, 13)
    assert result.p == pytest.approx(1 / 100)
    assert result.smallest_p == 1 / 100
    assert (smallest_p(12), smallest_p(13)) == (2 / 4096, 1 / 10_000)
