"""Split halves: what the moments give, without a model of errors."""

from __future__ import annotations

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
