"""The estimands, each by its plain formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given

from analysis.statistics.correlation.coefficients import COEFFICIENTS, Coefficient
from analysis.statistics.correlation.estimands import (
    ESTIMANDS,
    Estimand,
    estimate,
    estimate_without,
)
from tests.analysis.samples import SEEDS, several

RNG = np.random.default_rng(4)
X = RNG.normal(size=(8, 5))
Y = X + RNG.normal(size=(8, 5))


def correlation(a: object, b: object) -> float:
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])  # type: ignore[arg-type]


def test_estimands_are_their_formulas() -> None:
    within = [math.atanh(correlation(a, b)) for a, b in zip(X, Y, strict=True)]

    def centred(scores: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        rows, columns = scores.mean(1, keepdims=True), scores.mean(0, keepdims=True)
        return scores - rows - columns + scores.mean()

    expected = {
        "across_pairs": correlation(X.mean(1), Y.mean(1)),
        "across_tasks": math.tanh(float(np.mean(within))),
        "pooled": correlation(X, Y),
        "double_centred": correlation(centred(X), centred(Y)),
    }
    for name, value in expected.items():
        result, note = estimate(X, Y, name, "pearson")  # type: ignore[arg-type]
        assert result == pytest.approx(value, rel=1e-12)
        assert note == ""


def test_notes_say_why_there_is_no_estimate() -> None:
    assert estimate(X[:, :2], Y[:, :2], "pooled", "pearson")[1] == (
        "not estimable: 2 tasks, 3 are needed"
    )
    assert estimate(X[:2], Y[:2], "double_centred", "pearson")[1] == (
        "not estimable: 2 pairs, 3 are needed"
    )
    constant = np.where(np.arange(8)[:, None] == 3, 0.5, Y)
    note = estimate(X, constant, "across_tasks", "pearson")[1]
    assert note.startswith("the correlation within one pair: not estimable")


def test_three_tasks_and_pairs_are_enough() -> None:
    for name in ("across_pairs", "across_tasks", "pooled", "double_centred"):
        value, note = estimate(X[:3, :3], Y[:3, :3], name, "pearson")  # type: ignore[arg-type]
        assert math.isfinite(value), note
    value, note = estimate(X[:2], Y[:2], "across_tasks", "pearson")
    assert math.isfinite(value)
    assert estimate(X[:2], Y[:2], "across_pairs", "pearson")[1] == (
        "not estimable: 2 pairs, 3 are needed"
    )


def test_a_perfect_correlation_within_a_pair_has_no_average() -> None:
    perfect = np.where(np.arange(8)[:, None] == 5, -X, Y)
    value, note = estimate(X, perfect, "across_tasks", "pearson")
    assert math.isnan(value)
    assert note == "the correlation within one pair: it is -1"


def test_scores_without_interaction_have_none_to_correlate() -> None:
    additive = np.arange(8)[:, None] / 7 + np.arange(5) / 3
    value, note = estimate(additive, Y, "double_centred", "pearson")
    assert math.isnan(value)
    assert note == "not estimable: the scores of x are all 0"


@pytest.mark.parametrize("estimand", ESTIMANDS)
@pytest.mark.parametrize("kind", COEFFICIENTS)
@several
@given(seed=SEEDS)
def test_replicates_are_estimates_of_the_pairs_that_remain(
    estimand: Estimand, kind: Coefficient, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(3, 9)), int(rng.integers(2, 6)))
    x, y = rng.integers(0, int(rng.integers(2, 50)), (2, *shape)) / 49
    left_out = list(rng.random((4, shape[0])) < 0.3)
    replicates = estimate_without(x, y, estimand, kind, left_out)
    for (value, reason), out in zip(replicates, left_out, strict=True):
        expected, why = estimate(x[~out], y[~out], estimand, kind)
        assert reason == why
        assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)
