"""Sums over pairs and their resamples agree with one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.items.agreement import agreement, only_tuned
from analysis.statistics.items.clustered_errors import standard_error
from analysis.statistics.items.paired_items import SUMS, PairedItems, paired_items
from analysis.statistics.resampling.shared_resamples import SharedResamples
from tests.analysis.samples import right_or_wrong

BASE = right_or_wrong(1, 3, 2, 60, share=0.6)
TUNED = right_or_wrong(2, 3, 1, 60, share=0.7)


def compare(clusters: np.ndarray, draws: int = 200) -> PairedItems:  # type: ignore[type-arg]
    return paired_items(
        BASE,
        TUNED,
        [BASE],
        clusters,
        choices=None,
        resample=SharedResamples(draws, seed=0).sequence(),
    )


def test_the_first_row_is_of_the_items_as_they_are() -> None:
    result = compare(np.arange(60))
    sums = dict(zip(SUMS, result.sums[0], strict=True))
    assert sums["n"] == 3
    assert sums["tuned"] == pytest.approx(TUNED.mean((1, 2)).sum())
    assert sums["both"] == pytest.approx((BASE.mean(1) * TUNED.mean(1)).mean(1).sum())
    shares = [only_tuned(TUNED[i, 0], BASE[i]) for i in range(3)]
    assert sums["only"] == pytest.approx(sum(shares))
    kappas = [agreement(BASE[i, d], TUNED[i, 0]).kappa for i in range(3) for d in range(2)]
    assert result.kappa[0] == pytest.approx(np.mean(kappas))
    assert (result.compared, result.undefined) == (6, 0)
    assert result.kappa_least <= result.kappa[0] <= result.kappa_most
    assert result.difference == pytest.approx(TUNED.mean() - BASE.mean())
    assert not result.choices_known


def test_clusters_are_resampled_whole() -> None:
    """With two clusters, a resample holds one of them twice, or both."""
    result = compare(np.repeat([0, 1], 30))
    both = (BASE.mean(1) * TUNED.mean(1)).sum(0)
    possible = {both[:30].mean(), both[30:].mean(), both.mean()}
    resampled = {round(float(value), 9) for value in result.sums[1:, SUMS.index("both")]}
    assert resampled == {round(float(value), 9) for value in possible}
    assert result.clusters == 2


def test_same_wrong_answers_are_counted() -> None:
    """Of three items that both get wrong, the answers agree on one in one draw, one in both."""
    base = np.array([[[0, 0, 0, 1], [0, 0, 0, 0]]], dtype=float)
    tuned = np.array([[[0, 0, 0, 0]]], dtype=float)
    base_choices = np.array([[[1, 2, 3, 0], [1, 5, 3, 4]]])
    tuned_choices = np.array([[[1, 2, 4, 4]]])
    result = paired_items(
        base,
        tuned,
        [base, 1 - base],
        np.arange(4),
        choices=(base_choices, tuned_choices),
        resample=SharedResamples(3, seed=0).sequence(),
    )
    sums = dict(zip(SUMS, result.sums[0] * 4, strict=True))
    assert sums["wrong"] == pytest.approx(1 + 1 + 1 + 0.5)
    assert sums["same_wrong"] == pytest.approx(1 + 0.5 + 0 + 0.5)
    assert sums["only"] == 0
    assert result.choices_known
    assert (result.pairs, result.items) == (1, 4)


def test_kappas_are_those_of_one_pair_and_resample_at_a_time() -> None:
    result = compare(np.arange(60), draws=1)
    counts = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=1)[0]
    chosen = np.repeat(np.arange(60), counts)
    pairs = [agreement(BASE[i, d][chosen], TUNED[i, 0][chosen]) for i in range(3) for d in range(2)]
    assert result.kappa[1] == pytest.approx(np.mean([pair.kappa for pair in pairs]))
    whole = [agreement(BASE[i, d], TUNED[i, 0]) for i in range(3) for d in range(2)]
    assert result.kappa_least == pytest.approx(np.mean([pair.kappa_least for pair in whole]))
    assert result.kappa_most == pytest.approx(np.mean([pair.kappa_most for pair in whole]))


def test_the_error_of_the_difference_is_over_clusters() -> None:
    clusters = np.arange(60) // 3
    differences = (TUNED.mean(1) - BASE.mean(1)).mean(0)
    for labels in (np.arange(60), clusters):
        expected = standard_error(differences, clusters=labels)
        assert compare(labels).difference_error == pytest.approx(expected)
    assert compare(clusters).clusters == 20


def test_models_that_are_always_right_have_no_kappa() -> None:
    right = np.ones((2, 1, 10))
    mixed = np.stack([np.ones((1, 10)), np.arange(10)[None] % 2])

    def kappas(base: np.ndarray) -> PairedItems:  # type: ignore[type-arg]
        return paired_items(
            base,
            base,
            [base],
            np.arange(10),
            choices=None,
            resample=SharedResamples(2, seed=0).sequence(),
        )

    result = kappas(right)
    assert np.isnan(result.kappa).all()
    assert np.isnan([result.kappa_least, result.kappa_most]).all()
    assert (result.undefined, result.compared) == (2, 2)
    partly = kappas(mixed)
    assert (partly.undefined, partly.compared) == (1, 2)
    assert partly.kappa[0] == pytest.approx(1)
    assert (partly.kappa_least, partly.kappa_most) == pytest.approx((-1, 1))
