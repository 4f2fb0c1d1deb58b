"""The restricted likelihood: the plain formula, numerical gradients, a search without gradients."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, sparse
from threadpoolctl import threadpool_limits

from analysis.statistics.multilevel.random_effects import RandomEffects
from analysis.statistics.multilevel.reml import (
    NEAR_BOUNDARY,
    RestrictedLikelihood,
)


def crossed_model(rng: np.random.Generator) -> RestrictedLikelihood:
    """Crossed factors, one with a correlated slope, and unequal known variances."""
    n = 40
    slope = rng.normal(size=n)
    one, two = np.eye(6)[rng.integers(0, 6, n)], np.eye(4)[rng.integers(0, 4, n)]
    of_one = np.stack([one, one * slope[:, None]], axis=2).reshape(n, 12)
    return RestrictedLikelihood(
        y=rng.normal(size=n),
        x=np.column_stack([np.ones(n), slope]),
        z=sparse.csr_array(np.column_stack([of_one, two])),
        known=rng.uniform(0.1, 1.0, n),
        blocks=(RandomEffects(6, 2), RandomEffects(4, 1)),
        residual=True,
    )


def test_the_likelihood_is_that_of_the_whole_covariance() -> None:
    rng = np.random.default_rng(0)
    model = crossed_model(rng)
    theta = np.array([0.8, -0.3, 0.5, 0.4, 0.7])
    lower, other = model.triangles(theta)
    lam = np.zeros((model.z.shape[1],) * 2)
    for level in range(model.blocks[0].levels):
        lam[2 * level : 2 * level + 2, 2 * level : 2 * level + 2] = lower
    start = 2 * model.blocks[0].levels
    lam[start:, start:] = other[0, 0] * np.eye(model.blocks[1].levels)
    z = model.z.toarray() @ lam
    v = np.diag(model.known + 0.7**2) + z @ z.T
    inverse, x, y = np.linalg.inv(v), model.x, model.y
    information = x.T @ inverse @ x
    beta = np.linalg.solve(information, x.T @ inverse @ y)
    residuals = y - x @ beta
    logs = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    expected = logs + residuals @ inverse @ residuals + (len(y) - 2) * math.log(2 * math.pi)
    point = model.evaluate(theta)
    assert point.criterion == pytest.approx(expected, rel=1e-12)
    assert point.coefficients == pytest.approx(beta, rel=1e-9)
    assert point.covariance == pytest.approx(np.linalg.inv(information), rel=1e-9)
    by_steps = optimize.approx_fprime(theta, lambda t: model.evaluate(t).criterion, 1e-6)
    assert point.gradient == pytest.approx(by_steps, rel=1e-4, abs=1e-4)


@threadpool_limits.wrap(limits=1, user_api="blas")
def test_the_maximum_is_that_of_a_search_without_gradients() -> None:
    model = crossed_model(np.random.default_rng(5))
    theta = model.maximise()
    search = optimize.minimize(
        lambda t: model.evaluate(np.abs(t) * [1, np.sign(t[1]), 1, 1, 1]).criterion,
        theta + 0.05,
        method="Nelder-Mead",
        options={"maxiter": 4000, "fatol": 1e-10},
    )
    assert model.evaluate(theta).criterion <= search.fun + 1e-6


def test_standard_deviations_are_bounded_and_covariances_are_not() -> None:
    model = crossed_model(np.random.default_rng(0))
    assert model.diagonals().tolist() == [True, False, True, True, True]
    known_only = replace(model, residual=False)
    assert known_only.diagonals().tolist() == [True, False, True, True]
    theta = np.array([0.8, -0.3, 0.5, 0.4])
    tiny = model.evaluate(np.append(theta, 0.0))
    assert known_only.evaluate(theta).criterion == pytest.approx(tiny.criterion, abs=1e-6)
    assert len(known_only.evaluate(theta).gradient) == 4


def test_a_standard_deviation_becomes_zero_only_if_that_is_as_likely() -> None:
    """Six groups whose means are alike, and six whose small differences are certain."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(6, 20))
    noise -= noise.mean(1, keepdims=True)
    small = 0.004 * np.arange(6)[:, None]

    def model(y: np.ndarray, known: float) -> RestrictedLikelihood:  # type: ignore[type-arg]
        return RestrictedLikelihood(
            y=y.ravel(),
            x=np.ones((120, 1)),
            z=sparse.csr_array(np.repeat(np.eye(6), 20, axis=0)),
            known=np.full(120, known),
            blocks=(RandomEffects(6, 1),),
            residual=False,
        )

    assert model(noise, 1.0).maximise().tolist() == [0]
    assert model(noise, 1.0).maximise(np.array([1e-6])).tolist() == [0], "too flat to move"
    (certain,) = model(small + 1e-4 * noise, 1e-8).maximise()
    assert certain == pytest.approx(small.std(ddof=1), rel=1e-2)
    assert certain < NEAR_BOUNDARY


def test_a_model_without_parameters_has_none_to_maximise() -> None:
    model = replace(
        crossed_model(np.random.default_rng(0)),
        blocks=(),
        z=sparse.csr_array((40, 0)),
        residual=False,
    )
    assert len(model.maximise()) == 0
    weights = 1 / model.known
    information = model.x.T * weights @ model.x
    assert model.evaluate(np.zeros(0)).covariance == pytest.approx(np.linalg.inv(information))
