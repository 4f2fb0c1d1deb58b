"""Sums over pairs and their resamples agree with one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.items.agreement import agreement, only_tuned
from analysis.statistics.items.paired_items import SUMS, PairedItems, paired_items
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
        draws=draws,
        rng=np.random.default_rng(0),
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
