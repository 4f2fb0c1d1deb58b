"""Correlations and their family jackknife: published numbers, identities, coverage."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analysis.data.families import Families
from analysis.statistics.correlation.correlate import Correlation, correlate
from tests.conftest import SHARED

Floats = NDArray[np.float64]


def simulated(
    rng: np.random.Generator, *, families: int, sizes: tuple[int, int], icc: float, rho: float
) -> tuple[Floats, Floats, Families]:
    """Pairs in families: both scores share a family effect of the same correlation."""
    labels, x, y = [], [], []
    cov = np.array([[1.0, rho], [rho, 1.0]])
    for family in range(families):
        effect = rng.multivariate_normal([0, 0], icc * cov)
        for _ in range(int(rng.integers(*sizes))):
            own = effect + rng.multivariate_normal([0, 0], (1 - icc) * cov)
            labels.append(f"f{family}")
            x.append(own[0])
            y.append(own[1])
    return np.array(x), np.array(y), Families.of(labels)


def test_with_one_pair_a_family_it_is_the_ordinary_jackknife() -> None:
    rng = np.random.default_rng(7)
    x, y, families = simulated(rng, families=14, sizes=(1, 2), icc=0.0, rho=0.6)
    found = correlate(x, y, families)
    z = np.arctanh([np.corrcoef(np.delete(x, i), np.delete(y, i))[0, 1] for i in range(14)])
    error = math.sqrt(13 / 14 * ((z - z.mean()) ** 2).sum())
    center = math.atanh(np.corrcoef(x, y)[0, 1])
    reach = stats.t.ppf(0.975, 13) * error
    ends = (found.interval.low, found.interval.high)
    assert ends == pytest.approx((math.tanh(center - reach), math.tanh(center + reach)), rel=1e-12)
    assert found.jackknife_p == pytest.approx(2 * stats.t.sf(abs(center) / error, 13), rel=1e-12)


def test_coefficients_are_scipys() -> None:
    x, y, families = simulated(np.random.default_rng(3), families=8, sizes=(1, 6), icc=0.5, rho=0.4)
    y = np.round(y, 1)
    assert correlate(x, y, families).estimate == pytest.approx(stats.pearsonr(x, y)[0], rel=1e-12)
    spearman = correlate(x, y, families, coefficient="spearman").estimate
    assert spearman == pytest.approx(stats.spearmanr(x, y)[0], rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_invariances(seed: int, scale: float, shift: float) -> None:
    """Relabelled families, permuted rows and affine scores change nothing."""
    rng = np.random.default_rng(seed)
    x, y, families = simulated(rng, families=6, sizes=(1, 5), icc=0.5, rho=0.5)
    order = rng.permutation(len(x))
    relabelled = Families.of([f"x{label[::-1]}" for label in families.labels])
    permuted = Families.of([families.labels[i] for i in order])
    found = correlate(x, y, families)
    for other in (
        correlate(x, y, relabelled),
        correlate(x[order], y[order], permuted),
        correlate(scale * x + shift, y, families),
    ):
        assert other.estimate == pytest.approx(found.estimate, rel=1e-6, abs=1e-9)
        assert other.interval.low == pytest.approx(found.interval.low, rel=1e-6, abs=1e-9)
        assert other.interval.high == pytest.approx(found.interval.high, rel=1e-6, abs=1e-9)


def test_a_duplicated_pair_leaves_the_number_of_families() -> None:
    x, y, families = simulated(np.random.default_rng(5), families=7, sizes=(2, 4), icc=0.5, rho=0.5)
    twice = Families.of([*families.labels, families.labels[0]])
    found = correlate(np.append(x, x[0]), np.append(y, y[0]), twice)
    assert (found.n_families, found.n_pairs) == (7, len(x) + 1)


def test_it_covers_where_fisher_does_not() -> None:
    """Families 10, intra-family correlation .5, true correlation .7: reference statistics, §4."""
    rng = np.random.default_rng(20261120)
    ours = fishers = 0
    for _ in range(400):
        x, y, families = simulated(rng, families=10, sizes=(1, 6), icc=0.5, rho=0.7)
        interval = correlate(x, y, families).interval
        ours += interval.low <= 0.7 <= interval.high
        fisher = stats.pearsonr(x, y).confidence_interval()
        fishers += fisher.low <= 0.7 <= fisher.high
    assert 0.93 <= ours / 400 <= 0.99
    assert fishers / 400 < ours / 400


@pytest.mark.parametrize(
    ("x", "y", "families", "words"),
    [
        ([0.1, 0.2], [0.1, 0.2], "ab", "2 pairs, 3 are needed"),
        ([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], "abc", "the scores of y are all 0.5"),
        ([0.2, 0.2, 0.2], [0.1, 0.5, 0.6], "abc", "the scores of x are all 0.2"),
        ([0.1, 0.2, 0.4, 0.3], [0.1, 0.5, 0.6, 0.1], "aabb", "2 families, 3 are needed"),
        ([0.1, 0.2, 0.3], [0.2, 0.4, 0.6], "abc", "the estimate is 1"),
        ([0.1, 0.5, 0.5, 0.5], [0.1, 0.5, 0.6, 0.3], "abcd", "without a .* x are all 0.5"),
    ],
)
def test_what_cannot_be_estimated_is_named(
    x: list[float], y: list[float], families: str, words: str
) -> None:
    found = correlate(x, y, Families.of(families))
    assert math.isnan(found.interval.low)
    assert math.isnan(found.p)
    assert re.search(words, found.note)
    assert found.note in found.sentence() or not math.isnan(found.estimate)


def test_bad_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="one value a pair each; they have 3, 2 and 3"):
        correlate([1, 2, 3], [1, 2], Families.of("abc"))
    with pytest.raises(ValueError, match="pair 1 has x=nan"):
        correlate([1, math.nan, 3], [1, 2, 3], Families.of("abc"))
    with pytest.raises(ValueError, match="pair 2 has none"):
        Families.of(["a", "b", math.nan])


def test_frame_and_sentence() -> None:
    x, y, families = simulated(np.random.default_rng(1), families=8, sizes=(2, 4), icc=0.5, rho=0.8)
    found = correlate(x, y, families)
    assert isinstance(found, Correlation)
    frame = found.to_frame()
    assert frame.loc[0, "estimate"] == found.estimate
    assert frame.loc[0, "covers"] == "items+draws+families"
    assert f"{found.n_pairs} pairs of 8 families" in found.sentence()


# (file, task, Pearson, Spearman) as shared/data/README.md gives them, primary pairs.
PUBLISHED = [
    ("openllm_v1", "arc_challenge", 0.97, 0.96), ("openllm_v1", "hellaswag", 0.97, 0.96),
    ("openllm_v1", "gsm8k", 0.76, 0.79), ("swallow_v1", "SQuAD2", 0.66, 0.78),
]  # fmt: skip


@pytest.mark.parametrize(("file", "task", "pearson", "spearman"), PUBLISHED)
def test_published_scores(file: str, task: str, pearson: float, spearman: float) -> None:
    path = SHARED / "data" / f"{file}_pairs.csv"
    if not path.exists():
        pytest.skip("the published scores are not at hand")
    table = pd.read_csv(path)
    own = table[(table["task"] == task) & (table["primary"] == 1)]
    own = own.dropna(subset=["base_score", "instruct_score"])
    families = Families.of(list(own["family"]))
    for coefficient, published in (("pearson", pearson), ("spearman", spearman)):
        found = correlate(
            own["base_score"],
            own["instruct_score"],
            families,
            coefficient=coefficient,  # type: ignore[arg-type]
        )
        assert round(found.estimate, 2) == published
