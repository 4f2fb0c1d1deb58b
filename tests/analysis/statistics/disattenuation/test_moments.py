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
