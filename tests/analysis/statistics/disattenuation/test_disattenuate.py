"""Disattenuated correlations across pairs, with item scores and with standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.disattenuation.disattenuate import (
    disattenuate,
    disattenuate_by_halves,
    latent_scores,
)
from analysis.statistics.disattenuation.error_variance import ErrorVariance, TaskScores
from analysis.statistics.disattenuation.moments import Disattenuation, by_moments
from analysis.statistics.families import Families
from tests.analysis.samples import model_items

X, Y = model_items(3)
PAIRS, ITEMS = X.shape
FAMILIES = Families.of([f"f{i % 8}" for i in range(PAIRS)])
UNKNOWN = np.full((PAIRS, 1), math.nan)


def task(clusters: np.ndarray) -> TaskScores:  # type: ignore[type-arg]
    return TaskScores(X[:, None], Y[:, None], clusters, 0.0)


def test_with_item_scores_it_is_the_moments() -> None:
    errors = ErrorVariance(UNKNOWN, UNKNOWN, (task(np.arange(ITEMS)),))
    result = disattenuate(X.mean(1), Y.mean(1), FAMILIES, errors)
    expected = by_moments(X, Y)
    assert result.disattenuation.method == expected.method
    assert result.disattenuation.estimate == pytest.approx(expected.estimate, rel=1e-12)
    assert result.disattenuation.reliability_x == pytest.approx(expected.reliability_x, rel=1e-12)
    assert result.interval.low < result.disattenuation.estimate < result.interval.high
    halves = disattenuate_by_halves(X.mean(1), Y.mean(1), FAMILIES, errors)
    assert halves is not None
    assert halves.disattenuation.method == "halves"
    assert halves.disattenuation.estimate == pytest.approx(result.disattenuation.estimate, abs=0.05)


def test_without_item_scores_it_is_the_likelihood_and_there_are_no_halves() -> None:
    stderr = np.full((PAIRS, 1), 0.03)
    errors = ErrorVariance(stderr, stderr, None)
    result = disattenuate(X.mean(1), Y.mean(1), FAMILIES, errors)
    latent = latent_scores(X.mean(1), Y.mean(1), errors)
    assert latent is not None
    assert result.disattenuation.method == "likelihood"
    assert result.disattenuation.estimate == latent.rho
    assert disattenuate_by_halves(X.mean(1), Y.mean(1), FAMILIES, errors) is None


def test_items_of_one_passage_cannot_be_halved() -> None:
    errors = ErrorVariance(UNKNOWN, UNKNOWN, (task(np.zeros(ITEMS, dtype=np.int64)),))
    assert disattenuate_by_halves(X.mean(1), Y.mean(1), FAMILIES, errors) is None
    note = disattenuate(X.mean(1), Y.mean(1), FAMILIES, errors).note
    assert "all items are in one cluster" in note


def test_low_reliability_is_flagged() -> None:
    stderr = np.full((PAIRS, 1), 0.9 * float(X.mean(1).std()))
    result = disattenuate(X.mean(1), Y.mean(1), FAMILIES, ErrorVariance(stderr, stderr, None))
    assert "low reliability" in result.note
    assert latent_scores(np.ones(PAIRS), Y.mean(1), ErrorVariance(stderr, stderr, None)) is None


@pytest.mark.filterwarnings("error")
def test_one_pair_has_no_correlation() -> None:
    stderr = np.full((1, 1), 0.1)
    families = Families.of(["one"])
    score = np.full(1, 0.5)
    result = disattenuate(score, score, families, ErrorVariance(stderr, stderr, None))
    assert math.isnan(result.disattenuation.estimate)


def test_halves_of_a_task_are_normalised_by_chance_and_averaged_over_tasks() -> None:
    stretched = TaskScores(0.5 + X[:, None] / 2, 0.5 + Y[:, None] / 2, np.arange(ITEMS), 0.5)

    def halves(*tasks: TaskScores) -> Disattenuation:
        unknown = np.full((PAIRS, len(tasks)), math.nan)
        errors = ErrorVariance(unknown, unknown, tasks)
        result = disattenuate_by_halves(X.mean(1), Y.mean(1), FAMILIES, errors)
        assert result is not None
        return result.disattenuation

    plain = task(np.arange(ITEMS))
    alone = halves(plain)
    assert halves(stretched).estimate == pytest.approx(alone.estimate, rel=1e-9)
    both = halves(plain, stretched)
    assert both.estimate == pytest.approx(alone.estimate, abs=0.02)
    # Items of two tasks are halved apart, so that halves have fewer errors in common.
    errors = [1 - alone.reliability_x, 1 - both.reliability_x]
    assert errors[1] == pytest.approx(errors[0] / 2, abs=0.02)


def test_the_interval_is_a_jackknife_of_the_whole_estimate() -> None:
    errors = ErrorVariance(UNKNOWN, UNKNOWN, (task(np.arange(ITEMS)),))
    result = disattenuate(X.mean(1), Y.mean(1), FAMILIES, errors, level=0.9)
    z = np.arctanh([by_moments(X[rest], Y[rest]).estimate for _, rest in FAMILIES.without_each()])
    error = math.sqrt(7 / 8 * ((z - z.mean()) ** 2).sum())
    center = math.atanh(result.disattenuation.estimate)
    reach = float(stats.t.ppf(0.95, 7)) * error
    ends = math.tanh(center - reach), math.tanh(center + reach)
    assert (result.interval.low, result.interval.high) == pytest.approx(ends)
    assert result.p == pytest.approx(2 * stats.t.sf(center / error, 7))
    assert result.note == ""
    assert result.to_frame().loc[0, ["low", "high", "p"]].tolist() == pytest.approx(
        [*ends, result.p]
    )
    assert result.sentence().endswith(
        f"95 % CI clustered by family: [{ends[0]:.2f}, {ends[1]:.2f}]."
    )


def test_latent_scores_need_three_models_and_variance() -> None:
    stderr = np.full((3, 1), 0.01)
    x, y = np.array([0.1, 0.5, 0.4]), np.array([0.2, 0.4, 0.9])
    assert latent_scores(x, y, ErrorVariance(stderr, stderr, None)) is not None
    two = ErrorVariance(stderr[:2], stderr[:2], None)
    assert latent_scores(x[:2], y[:2], two) is None
    assert latent_scores(x, np.ones(3), ErrorVariance(stderr, stderr, None)) is None
    noisy = np.full((3, 1), 1.0)
    assert latent_scores(x, y, ErrorVariance(noisy, stderr, None)) is None


def test_a_likelihood_at_the_boundary_gives_no_estimate() -> None:
    x = X.mean(1)
    y = x + 0.001 * Y.mean(1)
    stderr = np.full((PAIRS, 1), 0.3 * x.std())
    result = disattenuate(x, y, FAMILIES, ErrorVariance(stderr, stderr, None))
    assert math.isnan(result.disattenuation.estimate)
    assert "not estimable" in result.note
