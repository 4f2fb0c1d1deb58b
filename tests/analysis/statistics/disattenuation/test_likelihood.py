"""Maximum likelihood with known error covariances: metafor, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

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
