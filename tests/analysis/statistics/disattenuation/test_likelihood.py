"""Maximum likelihood with known error covariances: metafor, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.disattenuation.likelihood import by_likelihood
from analysis.statistics.disattenuation.moments import (
    of_covariances,
)
from tests.analysis.samples import (
    anchor,
    related_pairs,
)


def test_bivariate_likelihood() -> None:
    """metafor, dat.berkey1998: rma.mv(yi, V, mods=~outcome-1, struct="UN", method="ML")."""
    data = anchor("berkey1998")
    al, pd_ = (data[data["outcome"] == name] for name in ("AL", "PD"))
    of_trials = [data[data["trial"] == trial] for trial in al["trial"]]
    assert all(list(trial["outcome"]) == ["PD", "AL"] for trial in of_trials)
    errors = np.stack([trial[["v1i", "v2i"]].to_numpy()[::-1, ::-1] for trial in of_trials])
    fit = by_likelihood(al["yi"], pd_["yi"], errors)
    assert fit.means == pytest.approx([-0.3379, 0.3448], abs=5e-5)
    assert fit.mean_errors == pytest.approx([0.0798, 0.0495], abs=5e-5)
    assert np.diag(fit.covariance) == pytest.approx([0.0261, 0.0070], abs=5e-5)
    assert fit.rho == pytest.approx(0.6992, abs=5e-5)
    assert fit.p == pytest.approx(0.2452, abs=5e-5)
    restricted = by_likelihood(al["yi"], pd_["yi"], errors, restricted=True)
    assert np.diag(restricted.covariance) == pytest.approx([0.0327, 0.0117], abs=5e-5)
    assert restricted.rho == pytest.approx(0.6088, abs=5e-5)


def test_likelihood_is_naive_without_errors_and_the_moments_with_equal_ones() -> None:
    x, y, _ = related_pairs(5, families=12)
    none = np.zeros((len(x), 2, 2))
    r = np.corrcoef(x, y)[0, 1]
    assert by_likelihood(x, y, none).rho == pytest.approx(r, abs=1e-5)
    m = len(x)
    equal = np.diag([0.2, 0.3])
    fit = by_likelihood(x, y, np.repeat(equal[None], m, axis=0))
    measured = np.cov(x, y, ddof=0)
    assert fit.rho == pytest.approx(of_covariances(measured, equal, m).estimate, abs=1e-4)
    assert fit.slope == pytest.approx(measured[0, 1] / (measured[0, 0] - 0.2), abs=1e-3)


def test_the_likelihood_is_that_of_the_normal_distribution() -> None:
    x, y, _ = related_pairs(5, families=12)
    rng = np.random.default_rng(1)
    errors = np.array([np.diag(rng.uniform(0.05, 0.4, 2)) for _ in x])
    errors[:, 0, 1] = errors[:, 1, 0] = 0.02
    fit = by_likelihood(x, y, errors)
    terms = [
        stats.multivariate_normal(fit.means, fit.covariance + error).logpdf(scores)
        for scores, error in zip(np.column_stack([x, y]), errors, strict=True)
    ]
    assert fit.log_likelihood == pytest.approx(sum(terms), rel=1e-9)
    assert fit.slope == pytest.approx(fit.covariance[0, 1] / fit.covariance[0, 0])
    assert not fit.at_boundary
    more = by_likelihood(10 * x, y, errors * np.outer([10, 1], [10, 1]))
    assert more.rho == pytest.approx(fit.rho, abs=1e-5)
    assert more.p == pytest.approx(fit.p, rel=1e-3)
    assert more.means == pytest.approx(fit.means * [10, 1], rel=1e-5)
    assert more.log_likelihood == pytest.approx(fit.log_likelihood - len(x) * np.log(10))
    assert np.isnan(by_likelihood(x, y, errors, test=False).p)


def test_scores_that_errors_explain_are_at_the_boundary() -> None:
    x, y, _ = related_pairs(5, families=12)
    m = len(x)
    large = np.diag([2 * x.var(), 0.01])
    assert by_likelihood(x, y, np.repeat(large[None], m, axis=0), test=False).at_boundary
    assert by_likelihood(y, x, np.repeat(large[::-1, ::-1][None], m, axis=0)).at_boundary
    for sign in (1, -1):
        almost = by_likelihood(x, sign * x + 0.01 * y, np.tile(np.eye(2) * 0.05, (m, 1, 1)))
        assert almost.at_boundary
        assert almost.rho == pytest.approx(sign, abs=1e-5)
        assert almost.p < 0.001
        assert "at the boundary" in almost.sentence()


def test_errors_must_be_one_matrix_for_each_model() -> None:
    with pytest.raises(ValueError, match=r"errors must be \[3, 2, 2\], found \[2, 2, 2\]"):
        by_likelihood([1, 2, 3], [1, 3, 2], np.zeros((2, 2, 2)))


def test_the_frame_has_one_row_of_numbers() -> None:
    x, y, _ = related_pairs(5, families=12)
    fit = by_likelihood(x, y, np.zeros((len(x), 2, 2)))
    (row,) = fit.to_frame().to_dict("records")
    assert (row["mean_x"], row["mean_y"]) == tuple(fit.means)
    assert (row["mean_x_error"], row["mean_y_error"]) == tuple(fit.mean_errors)
    assert (row["variance_x"], row["variance_y"]) == tuple(np.diag(fit.covariance))
    assert row["covariance"] == fit.covariance[0, 1]
    assert fit.means == pytest.approx([x.mean(), y.mean()], abs=1e-5)
    assert fit.mean_errors == pytest.approx(
        [x.std() / len(x) ** 0.5, y.std() / len(x) ** 0.5], rel=1e-3
    )


def test_scores_without_true_variance_are_at_the_boundary_whatever_their_correlation() -> None:
    x = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    y = np.array([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    noisy = np.tile(np.diag([3.0, 0.1]), (8, 1, 1))
    fit = by_likelihood(x, y, noisy)
    assert fit.rho == pytest.approx(0, abs=0.5)
    assert fit.at_boundary
    assert by_likelihood(y, x, noisy[:, ::-1, ::-1]).at_boundary
    assert not by_likelihood(x, y, noisy / 10).at_boundary
