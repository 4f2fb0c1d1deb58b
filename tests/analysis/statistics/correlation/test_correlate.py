"""Correlations and their family jackknife: published numbers, identities, coverage."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.correlation.coefficients import Coefficient
from analysis.statistics.correlation.correlate import Correlation, correlate
from analysis.statistics.correlation.estimands import ESTIMANDS
from analysis.statistics.families import Families
from analysis.statistics.resampling.wild_bootstrap import wild_test
from tests.analysis.samples import DATA, family_pairs, several


def test_families_of_one_give_the_ordinary_jackknife() -> None:
    rng = np.random.default_rng(7)
    x, y, families = family_pairs(rng, families=14, sizes=(1, 2), icc=0.0, rho=0.6)
    result = correlate(x, y, families)
    z = np.arctanh([np.corrcoef(np.delete(x, i), np.delete(y, i))[0, 1] for i in range(14)])
    error = math.sqrt(13 / 14 * ((z - z.mean()) ** 2).sum())
    center = math.atanh(np.corrcoef(x, y)[0, 1])
    reach = stats.t.ppf(0.975, 13) * error
    ends = (result.interval.low, result.interval.high)
    assert ends == pytest.approx((math.tanh(center - reach), math.tanh(center + reach)), rel=1e-12)
    assert result.jackknife_p == pytest.approx(2 * stats.t.sf(abs(center) / error, 13), rel=1e-12)


def test_coefficients_are_scipys() -> None:
    x, y, families = family_pairs(
        np.random.default_rng(3), families=8, sizes=(1, 6), icc=0.5, rho=0.4
    )
    y = np.round(y, 1)
    assert correlate(x, y, families).estimate == pytest.approx(stats.pearsonr(x, y)[0], rel=1e-12)
    spearman = correlate(x, y, families, coefficient="spearman").estimate
    assert spearman == pytest.approx(stats.spearmanr(x, y)[0], rel=1e-12)


@several
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_invariances(seed: int, scale: float, shift: float) -> None:
    """Relabelled families, permuted rows and affine scores change nothing."""
    rng = np.random.default_rng(seed)
    x, y, families = family_pairs(rng, families=6, sizes=(1, 5), icc=0.5, rho=0.5)
    order = rng.permutation(len(x))
    relabelled = Families.of([f"x{label[::-1]}" for label in families.labels])
    permuted = Families.of([families.labels[i] for i in order])
    result = correlate(x, y, families)
    for other in (
        correlate(x, y, relabelled),
        correlate(x[order], y[order], permuted),
        correlate(scale * x + shift, y, families),
    ):
        assert other.estimate == pytest.approx(result.estimate, rel=1e-6, abs=1e-9)
        assert other.interval.low == pytest.approx(result.interval.low, rel=1e-6, abs=1e-9)
        assert other.interval.high == pytest.approx(result.interval.high, rel=1e-6, abs=1e-9)


def test_a_duplicated_pair_does_not_change_the_number_of_families() -> None:
    x, y, families = family_pairs(
        np.random.default_rng(5), families=7, sizes=(2, 4), icc=0.5, rho=0.5
    )
    twice = Families.of([*families.labels, families.labels[0]])
    result = correlate(np.append(x, x[0]), np.append(y, y[0]), twice)
    assert (result.n_families, result.n_pairs) == (7, len(x) + 1)


def test_the_interval_covers_where_fishers_does_not() -> None:
    """Families 10, intra-family correlation .5, true correlation .7: reference statistics, §4."""
    rng = np.random.default_rng(20261120)
    ours = fishers = 0
    for _ in range(400):
        x, y, families = family_pairs(rng, families=10, sizes=(1, 6), icc=0.5, rho=0.7)
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
def test_the_note_says_why_there_is_no_estimate(
    x: list[float], y: list[float], families: str, words: str
) -> None:
    result = correlate(x, y, Families.of(families))
    assert math.isnan(result.interval.low)
    assert math.isnan(result.p)
    assert re.search(words, result.note)
    assert result.note in result.sentence() or not math.isnan(result.estimate)


def test_bad_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="one value per pair; found 3, 2 and 3"):
        correlate([1, 2, 3], [1, 2], Families.of("abc"))
    with pytest.raises(ValueError, match="pair 1 has x=nan"):
        correlate([1, math.nan, 3], [1, 2, 3], Families.of("abc"))
    with pytest.raises(ValueError, match="pair 2 has none"):
        Families.of(["a", "b", math.nan])


def test_frame_and_sentence() -> None:
    x, y, families = family_pairs(
        np.random.default_rng(1), families=8, sizes=(2, 4), icc=0.5, rho=0.8
    )
    result = correlate(x, y, families)
    assert isinstance(result, Correlation)
    frame = result.to_frame()
    assert frame.loc[0, "estimate"] == result.estimate
    assert frame.loc[0, "covers"] == "items+draws+families"
    assert f"{result.n_pairs} pairs of 8 families" in result.sentence()


# Pearson's and Spearman's correlations of the published scores, to two digits.
PUBLISHED: list[tuple[str, str, Coefficient, float]] = [
    ("openllm_v1", "arc_challenge", "pearson", 0.97),
    ("openllm_v1", "arc_challenge", "spearman", 0.96),
    ("openllm_v1", "hellaswag", "pearson", 0.97),
    ("openllm_v1", "hellaswag", "spearman", 0.96),
    ("openllm_v1", "gsm8k", "pearson", 0.76),
    ("openllm_v1", "gsm8k", "spearman", 0.79),
    ("swallow_v1", "SQuAD2", "pearson", 0.66),
    ("swallow_v1", "SQuAD2", "spearman", 0.78),
]


@pytest.mark.parametrize(("file", "task", "coefficient", "expected"), PUBLISHED)
def test_published_scores(file: str, task: str, coefficient: Coefficient, expected: float) -> None:
    table = pd.read_csv(DATA / f"{file}_pairs.csv")
    pairs = table[table["task"] == task]
    x, y = pairs["base_score"], pairs["instruct_score"]
    result = correlate(x, y, Families.of(list(pairs["family"])), coefficient=coefficient)
    assert round(result.estimate, 2) == expected


def test_scores_of_tasks_are_averaged_and_p_is_the_bootstraps() -> None:
    rng = np.random.default_rng(6)
    x, y, families = family_pairs(rng, families=8, sizes=(2, 4), icc=0.5, rho=0.5)
    noise = rng.normal(size=(len(x), 2))
    noise -= noise.mean(1, keepdims=True)
    result = correlate(x[:, None] + noise, y[:, None] - noise, families)
    alone = correlate(x, y, families)
    assert (result.estimate, result.p) == pytest.approx((alone.estimate, alone.p))
    assert (result.n_tasks, alone.n_tasks) == (2, 1)
    assert result.p == pytest.approx(wild_test(x, y, families, rng=rng).p)
    assert result.p_method == "wild cluster restricted bootstrap, all sign vectors"
    assert result.smallest_p == 2 / 2**8
    ranked = wild_test(stats.rankdata(x), stats.rankdata(y), families, rng=rng).p
    assert correlate(x, y, families, coefficient="spearman").p == ranked


def test_other_estimands_and_kendall_have_the_jackknifes_p() -> None:
    rng = np.random.default_rng(8)
    ability, families = rng.normal(size=(12, 1)), Families.of("aabbccddeeff")
    x, y = (ability + rng.normal(size=(12, 4)) for _ in range(2))
    for result in (
        correlate(x, y, families, coefficient="kendall"),
        *(correlate(x, y, families, estimand=name) for name in ESTIMANDS if name != "across_pairs"),
    ):
        assert result.p == result.jackknife_p
        assert 0 < result.p < 1
        assert result.p_method == "family jackknife"
        assert math.isnan(result.smallest_p)


def test_the_seed_counts_beyond_twelve_families() -> None:
    rng = np.random.default_rng(9)
    x, y, families = family_pairs(rng, families=13, sizes=(1, 3), icc=0.5, rho=0.2)
    results = [correlate(x, y, families, seed=seed) for seed in (3, 3, 4)]
    assert results[0].p == results[1].p != results[2].p
    assert results[0].p_method.endswith("9999 random (seed 3) sign vectors")


def test_a_higher_level_gives_a_wider_interval() -> None:
    x, y, families = family_pairs(
        np.random.default_rng(2), families=8, sizes=(2, 4), icc=0.5, rho=0.5
    )
    wide, narrow = (correlate(x, y, families, level=level) for level in (0.99, 0.9))
    assert wide.interval.low < narrow.interval.low < narrow.interval.high < wide.interval.high
    assert "99 % CI clustered by family" in wide.sentence()
    assert wide.interval.level == 0.99
    reach = math.atanh(wide.interval.high) - math.atanh(wide.estimate)
    of_narrow = math.atanh(narrow.interval.high) - math.atanh(narrow.estimate)
    assert reach / of_narrow == pytest.approx(stats.t.ppf(0.995, 7) / stats.t.ppf(0.95, 7))


def test_scores_must_have_the_same_tasks() -> None:
    with pytest.raises(ValueError, match=r"the same tasks; found shapes \(3, 2\), \(3, 1\)"):
        correlate(np.ones((3, 2)), np.ones(3), Families.of("abc"))
    scores = np.arange(6.0).reshape(3, 2)
    missing = np.where(scores == 3, math.inf, scores)
    with pytest.raises(ValueError, match=r"pair 1, task 1, has x=3\.0, y=inf"):
        correlate(scores, missing, Families.of("abc"))


def test_an_estimate_that_fails_without_one_family_has_no_interval() -> None:
    x, y = [0.1, 0.2, 0.3, 0.5], [0.2, 0.4, 0.6, 0.1]
    result = correlate(x, y, Families.of("abcd"))
    assert "no interval: without d it is 1" in result.note
    assert result.estimate == pytest.approx(stats.pearsonr(x, y)[0])
    assert correlate(x[:3], [3, 2, 1], Families.of("abc")).note == "no interval: the estimate is -1"
