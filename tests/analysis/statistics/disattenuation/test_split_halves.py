"""Split halves: what the moments give, without a model of errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.statistics.disattenuation.split_halves import by_halves, half_scores, of_halves


def test_halves_of_draws_remove_the_noise_of_demonstrations() -> None:
    """True r .70; each draw of demonstrations moves a base by .7 of its standard deviation."""
    rng = np.random.default_rng(0)
    estimates = []
    for _ in range(80):
        true = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=120)
        noise = 0.7 * rng.normal(size=(120, 3, 1)) + 3 * rng.normal(size=(120, 3, 60))
        x = true[:, :1, None] + noise
        y = true[:, 1:, None] + 3 * rng.normal(size=(120, 1, 60))
        halves = half_scores(x, y, clusters=np.arange(60), splits=30, rng=rng)
        measured = np.cov(x.mean((1, 2)), y.mean((1, 2)))
        items_only = by_halves(x.mean(1), y[:, 0], rng=rng, splits=30)
        estimates.append([of_halves(halves, measured).estimate, items_only.estimate])
    both, of_items = np.nanmedian(estimates, axis=0)
    assert both == pytest.approx(0.70, abs=0.03)
    assert of_items < both - 0.02


def test_halves_keep_passages_whole() -> None:
    """Both items of a passage are answered alike: apart, they would vouch for each other."""
    rng = np.random.default_rng(1)
    luck = rng.normal(size=(12, 30))
    x = np.repeat(luck, 2, axis=1)[:, None]
    passages = np.repeat(np.arange(30), 2)
    halves = half_scores(x, x, clusters=passages, splits=200, rng=rng)
    total = halves.x.mean(1) - x.mean((1, 2))
    assert np.abs(total).max() < 1e-12  # halves of 15 passages each, disjoint and complete
    apart = half_scores(x, x, clusters=np.arange(60), splits=200, rng=rng)
    together, alone = (np.mean([np.cov(h.x[s])[0, 1] for s in range(200)]) for h in (halves, apart))
    assert together < alone
    with pytest.raises(ValueError, match="two clusters"):
        half_scores(x, x, clusters=np.zeros(60), splits=2, rng=rng)


def test_halves_are_covariances_between_disjoint_items() -> None:
    """With two items each half is one of them, whatever the split."""
    rng = np.random.default_rng(3)
    x, y = 0.3 * rng.normal(size=(2, 15, 2)) + rng.normal(size=(2, 15, 1))
    result = by_halves(x, y, rng=rng, splits=3)
    (xa, xb), (ya, yb) = x.T, y.T
    both = (np.cov(xa, yb)[0, 1] + np.cov(xb, ya)[0, 1]) / 2
    expected = both / np.sqrt(np.cov(xa, xb)[0, 1] * np.cov(ya, yb)[0, 1])
    assert result.estimate == pytest.approx(expected)
    measured = x.mean(1).var(ddof=1)
    assert result.reliability_x == pytest.approx(np.cov(xa, xb)[0, 1] / measured)
    assert (result.method, result.n_pairs) == ("halves", 15)


def test_halves_of_an_odd_number_of_items_and_draws_are_complete() -> None:
    """Weighted by their sizes the halves make up the whole: 2 + 3 items, 1 + 2 draws."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, 1, 5))
    halves = half_scores(x, x, clusters=np.arange(5), splits=50, rng=rng).x
    weights = np.array([3, 2]) / 5
    assert np.einsum("shp,h->sp", halves, weights) == pytest.approx(
        np.tile(x.mean((1, 2)), (50, 1))
    )
    values = np.array([0.0, 1.0, 5.0, 10.0, 30.0])
    drawn = half_scores(
        np.tile(values[:, None], (4, 1, 4)), x[..., :4], clusters=np.arange(4), splits=99, rng=rng
    ).x[..., 0]
    halves_of_draws = {
        (two.sum() / 2, (values.sum() - two.sum()) / 3)
        for two in (values[list(pair)] for pair in itertools.combinations(range(5), 2))
    }
    assert {tuple(pair) for pair in drawn.round(9).tolist()} == {
        tuple(np.round(pair, 9).tolist()) for pair in halves_of_draws
    }


def test_halves_need_the_same_items() -> None:
    rng = np.random.default_rng(5)
    for x in (np.ones(4), np.ones((3, 4))):
        with pytest.raises(ValueError, match=r"must both be \[models, items\]"):
            by_halves(x, np.ones((3, 5)), rng=rng)
