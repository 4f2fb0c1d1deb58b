"""Disattenuated correlations across pairs, with item scores and with standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics.disattenuation.disattenuate import (
    disattenuate,
    disattenuate_by_halves,
    latent_scores,
)
from analysis.statistics.disattenuation.error_variance import ErrorVariance, TaskScores
from analysis.statistics.disattenuation.moments import by_moments
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
