"""Disattenuation by moments, and reliability.

Spearman 1904; Hoyt 1941; Kuder & Richardson 1937; Cronbach 1951.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pingouin
import pytest

from analysis.statistics.disattenuation.moments import (
    by_moments,
    error_covariance,
    of_covariances,
    reliability,
    spearman_correction,
)
from analysis.statistics.disattenuation.split_halves import by_halves
from tests.analysis.samples import (
    model_items,
)


def test_spearman_correction() -> None:
    assert spearman_correction(0.5, 0.8, 0.7) == pytest.approx(0.6681531, abs=5e-8)


def test_reliability_is_cronbachs_alpha_and_kr20() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(12, 1)) + rng.normal(size=(12, 50)) > 0).astype(float)
    n = x.shape[1]
    total = x.sum(1).var(ddof=1)
    alpha = n / (n - 1) * (1 - x.var(0, ddof=1).sum() / total)
    # Kuder & Richardson's formula 20 with p(1-p) times M/(M-1).
    kr20 = n / (n - 1) * (1 - (x.mean(0) * (1 - x.mean(0))).sum() * 12 / 11 / total)
    assert reliability(x) == pytest.approx(alpha, abs=1e-12)
    assert reliability(x) == pytest.approx(kr20, abs=1e-12)


def test_cronbachs_alpha() -> None:
    """pg.cronbach_alpha(pg.read_dataset("cronbach_alpha"), …)"""
    data = pingouin.read_dataset("cronbach_alpha")
    wide = data.pivot(index="Subj", columns="Items", values="Scores")
    assert reliability(wide) == pytest.approx(0.5917188, abs=5e-8)


def test_three_routes_to_one_reliability() -> None:
    rng = np.random.default_rng(12)
    scores = (rng.normal(size=(12, 1)) + rng.normal(size=(12, 50)) > 0).astype(float)
    hoyt = reliability(scores)
    k, share = scores.shape[1], scores.mean(0)
    # Kuder & Richardson's variances with n - 1, as the others have them.
    within = float((share * (1 - share)).sum()) * 12 / 11
    kr20 = k / (k - 1) * (1 - within / float(scores.sum(1).var(ddof=1)))
    alpha, _ = pingouin.cronbach_alpha(pd.DataFrame(scores))
    assert hoyt == pytest.approx(kr20, rel=1e-12)
    assert hoyt == pytest.approx(alpha, rel=1e-12)


def test_corrections_recover_the_true_correlation() -> None:
    estimates = []
    for seed in range(60):
        x, y = model_items(seed)
        halves = by_halves(x, y, rng=np.random.default_rng(seed), splits=20)
        binomial = [np.mean(s.mean(1) * (1 - s.mean(1))) / s.shape[1] for s in (x, y)]
        measured = np.cov(x.mean(1), y.mean(1))
        too_much = of_covariances(measured, np.diag(binomial), len(x))
        moments = by_moments(x, y)
        estimates.append([moments.naive, moments.estimate, halves.estimate, too_much.estimate])
    naive, by_moments_, by_halves_, binomial_median = np.nanmedian(estimates, axis=0)
    assert naive < 0.68
    assert by_moments_ == pytest.approx(0.70, abs=0.04)
    assert by_halves_ == pytest.approx(by_moments_, abs=0.02)
    assert binomial_median > by_moments_ + 0.02


def test_estimates_without_true_variance_are_not_clipped() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.random((6, 30)) < 0.5).astype(float)
    result = by_moments(noise, noise[::-1])
    assert math.isnan(result.estimate)
    assert "not estimable" in result.note
    assert math.isfinite(result.naive)
    assert "not estimable" in result.sentence()


def test_identical_sides_have_identical_errors() -> None:
    x, _ = model_items(1)
    errors = error_covariance(x, x)
    assert errors[0, 0] == pytest.approx(errors[0, 1])
    assert by_moments(x, x).estimate == pytest.approx(1.0)


def test_error_covariance_of_two_models_by_hand() -> None:
    """Residuals of the first model are .5, 0, -.5, 0 on x; of the second, the same negated."""
    x = [[1, 1, 0, 0], [0, 1, 1, 0]]
    y = [[1, 0, 0, 0], [0, 0, 1, 0]]
    # Σ R² = 1, over (M - 1)(n - 1) = 3 and n = 4.
    assert error_covariance(x, y) == pytest.approx(np.full((2, 2), 1 / 12))
    # Two clusters, with sums of residuals .5 and -.5: Σ = 1, times 2/(2 - 1), over n² = 16.
    assert error_covariance(x, y, clusters=[7, 7, 2, 2]) == pytest.approx(np.full((2, 2), 1 / 8))


def test_errors_over_clusters_are_those_of_a_jackknife() -> None:
    """How far a model is from the mean of all models, without each of few passages in turn."""
    x, y = model_items(4, models=9, n=20)
    passages = np.repeat(np.arange(4), 5)
    distances = [
        [(side - side.mean(0))[:, passages != left_out].mean(1) for left_out in range(4)]
        for side in (x, y)
    ]
    a, b = (np.array(side) - np.mean(side, axis=0) for side in distances)
    expected = [[3 / 4 * (one * other).sum() / 8 for other in (a, b)] for one in (a, b)]
    shuffled = np.random.default_rng(0).permutation(20)
    found = error_covariance(x[:, shuffled], y[:, shuffled], clusters=passages[shuffled])
    assert found == pytest.approx(np.array(expected), rel=1e-12)


def test_errors_are_the_share_of_variance_that_is_not_reliable() -> None:
    x, y = model_items(2, models=15, n=12)
    errors = error_covariance(x, y)
    assert errors[0, 0] / x.mean(1).var(ddof=1) == pytest.approx(1 - reliability(x), rel=1e-12)
    assert error_covariance(x, y, clusters=np.arange(12)) == pytest.approx(errors, rel=1e-12)


def test_the_correction_is_that_of_true_covariances() -> None:
    """(.5 - .1)/√((1 - .2)(2 - .4)) = .353553, of reliabilities .8 and .8."""
    measured, errors = np.array([[1.0, 0.5], [0.5, 2.0]]), np.array([[0.2, 0.1], [0.1, 0.4]])
    result = of_covariances(measured, errors, 7)
    assert result.estimate == pytest.approx(0.3535534, abs=5e-8)
    assert result.naive == pytest.approx(0.5 / math.sqrt(2))
    assert (result.reliability_x, result.reliability_y) == pytest.approx((0.8, 0.8))
    assert (result.n_pairs, result.note) == (7, "")


@pytest.mark.parametrize(
    ("errors", "note"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], "not estimable: no variance of true scores remains"),
        ([[0.0, 0.0], [0.0, 2.0]], "not estimable: no variance of true scores remains"),
        ([[0.9, 0.0], [0.0, 0.0]], "not estimable: 1.12 lies beyond 1"),
        ([[math.nan] * 2] * 2, "not estimable: all items are in one cluster"),
    ],
)
def test_a_correction_that_is_impossible_has_a_note(errors: list[list[float]], note: str) -> None:
    result = of_covariances(np.array([[1.0, 0.5], [0.5, 2.0]]), np.array(errors), 7)
    assert math.isnan(result.estimate)
    assert result.note == note


def test_scores_without_variance_have_no_reliability() -> None:
    result = of_covariances(np.array([[0.0, 0.0], [0.0, 1.0]]), np.zeros((2, 2)), 7)
    assert math.isnan(result.reliability_x)
    assert result.reliability_y == 1
    assert math.isnan(result.naive)
    assert math.isnan(reliability(np.ones((3, 4))))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(4), "x must be .models, items., at least 2 by 2"),
        (np.ones((1, 4)), "x must be .models, items., at least 2 by 2"),
        (np.ones((4, 1)), "x must be .models, items., at least 2 by 2"),
        (np.full((2, 2), math.nan), "x must be finite for every item"),
        (np.ones((2, 3)), "the same models and items"),
    ],
)
def test_item_scores_must_be_a_matrix(x: np.ndarray, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        error_covariance(x, np.eye(2))
