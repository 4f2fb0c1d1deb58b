"""Variance components of simulated scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given

from analysis.statistics.disattenuation.error_variance import (
    ErrorVariance,
    TaskScores,
    variance_components,
)
from analysis.statistics.disattenuation.moments import error_covariance
from tests.analysis.samples import SEEDS, several


def test_components_are_those_that_were_simulated() -> None:
    rng = np.random.default_rng(0)
    models, draws, items = 60, 8, 300
    parts = (
        rng.normal(size=(models, 1, 1)),
        rng.normal(size=(1, draws, 1)),
        rng.normal(size=(1, 1, items)),
        0.7 * rng.normal(size=(models, 1, items)),
        0.3 * rng.normal(size=(models, draws, 1)),
        0.2 * rng.normal(size=(1, draws, items)),
        0.5 * rng.normal(size=(models, draws, items)),
    )
    result = variance_components(sum(parts, start=np.zeros((models, draws, items))))
    assert result.model_item == pytest.approx(0.49, rel=0.05)
    assert result.model_draw == pytest.approx(0.09, rel=0.25)
    assert result.residual == pytest.approx(0.25, rel=0.05)
    expected = 0.09 / 8 + 0.49 / 300 + 0.25 / 2400
    assert result.of_mean == pytest.approx(expected, rel=0.25)
    alone = variance_components(rng.normal(size=(5, 1, 20)))
    assert np.isnan(alone.model_draw)


def test_components_are_those_of_an_analysis_of_variance() -> None:
    """Mean squares of statsmodels' three-way table; the errors of a mean by the textbook."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(4, 3, 5))
    index = pd.MultiIndex.from_product([range(n) for n in scores.shape], names=["m", "d", "i"])
    long = pd.DataFrame({"y": scores.ravel()}, index=index).reset_index()
    fit = smf.ols("y ~ (C(m) + C(d) + C(i)) ** 2", long).fit()
    table = sm.stats.anova_lm(fit)
    mean_square = table["mean_sq"]
    result = variance_components(scores)
    residual = mean_square["Residual"]
    assert result.residual == pytest.approx(residual)
    assert result.model_item == pytest.approx((mean_square["C(m):C(i)"] - residual) / 3)
    assert result.model_draw == pytest.approx((mean_square["C(m):C(d)"] - residual) / 5)
    expected = result.model_draw / 3 + result.model_item / 5 + residual / 15
    assert result.of_mean == pytest.approx(expected)
    assert (result.draws, result.items) == (3, 5)
    one = variance_components(scores[:, :1])
    two_way = sm.stats.anova_lm(smf.ols("y ~ C(m) + C(i)", long[long["d"] == 0]).fit())
    assert one.model_item == pytest.approx(two_way.loc["Residual", "mean_sq"])
    assert (one.residual, one.draws, one.items) == (0, 1, 5)


def test_reported_standard_errors_are_those_of_the_mean_over_tasks() -> None:
    """Errors .3 and .4 of two tasks: √(.09 + .16)/2 = .25 of their mean."""
    x = np.array([[0.3, 0.4], [0.1, 0.1], [0.6, 0.8]])
    errors = ErrorVariance(x, 2 * x, None)
    covariances = errors.covariances(np.array([True, False, True]))
    assert covariances.shape == (2, 2, 2)
    assert covariances[0] == pytest.approx(np.diag([0.25**2, 0.5**2]))
    assert covariances[1] == pytest.approx(np.diag([0.5**2, 1.0]))


def test_errors_of_tasks_add_up_chance_normalised_and_with_the_noise_of_draws() -> None:
    rng = np.random.default_rng(2)
    clusters = np.arange(6) // 2
    tasks = tuple(
        TaskScores(rng.normal(size=(5, 3, 6)), rng.normal(size=(5, 1, 6)), clusters, chance)
        for chance in (0.0, 0.5)
    )
    errors = ErrorVariance(np.zeros((5, 2)), np.zeros((5, 2)), tasks)
    rest = np.array([True, True, True, True, False])
    expected = np.zeros((2, 2))
    for task, factor in zip(tasks, (1, 4), strict=True):
        x, y = task.x[rest], task.y[rest]
        of_items = error_covariance(x.mean(1), y[:, 0], clusters=clusters)
        of_draws = np.diag([variance_components(x).model_draw / 3, 0])
        expected += factor * (of_items + of_draws) / 4
    covariances = errors.covariances(rest)
    assert covariances.shape == (4, 2, 2)
    assert covariances[0] == pytest.approx(expected, rel=1e-12)
    assert covariances[3] == pytest.approx(expected, rel=1e-12)


@several
@given(seed=SEEDS)
def test_errors_of_any_pairs_are_those_of_their_scores(seed: int) -> None:
    """Against the formulas on the selected scores alone, which the jackknife would repeat."""
    rng = np.random.default_rng(seed)
    pairs, items = int(rng.integers(4, 12)), int(rng.integers(4, 30))
    x, y = ((rng.random((pairs, int(rng.integers(1, 4)), items)) < 0.6).astype(float) for _ in "xy")
    clusters = rng.integers(0, int(rng.integers(2, items)), items)
    clusters[:2] = 0, 1
    task = TaskScores(x, y, clusters, 0.25)
    for _ in range(3):
        selected = rng.random(pairs) < 0.7
        selected[:2] = True
        expected = error_covariance(
            x[selected].mean(1), y[selected].mean(1), clusters=clusters
        ) + np.diag(
            [
                variance_components(side[selected]).model_draw / side.shape[1]
                if side.shape[1] > 1
                else 0.0
                for side in (x, y)
            ]
        )
        assert task.covariance(selected) == pytest.approx(expected, rel=1e-12, abs=1e-15)
