"""Quantiles and tails: those of scipy.stats."""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis import distributions


def test_all_are_those_of_scipy_stats() -> None:
    rng = np.random.default_rng(0)
    x, p = 5 * rng.normal(size=1000), rng.random(1000)
    df, other = rng.uniform(1, 60, (2, 1000))
    both = [
        (distributions.normal_cdf(x), stats.norm.cdf(x)),
        (distributions.normal_tail(x), stats.norm.sf(x)),
        (distributions.normal_quantile(p), stats.norm.ppf(p)),
        (distributions.t_tail(x, df), stats.t.sf(x, df)),
        (distributions.t_quantile(p, df), stats.t.ppf(p, df)),
        (distributions.f_tail(np.abs(x), df, other), stats.f.sf(np.abs(x), df, other)),
        (distributions.chi_squared_tail(np.abs(x), df), stats.chi2.sf(np.abs(x), df)),
    ]
    for ours, theirs in both:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
