"""Meta-analyses: metafor's tests on dat.raudenbush1985, dat.bcg and dat.hine1989; statsmodels."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis.statistics.multilevel.meta_analysis import Method, equicorrelated, meta_analysis
from tests.analysis.samples import (
    anchor,
)


def test_meta_analysis_of_raudenbush() -> None:
    data = anchor("raudenbush1985")
    dl = meta_analysis(data["yi"], data["vi"], method="DL", test="z")
    assert dl.q == pytest.approx(35.8295, abs=5e-5)
    assert dl.tau2 == pytest.approx(0.0259, abs=5e-5)
    assert (dl.coefficients[0], dl.errors[0]) == pytest.approx((0.0893, 0.0558), abs=5e-5)
    hk = meta_analysis(data["yi"], data["vi"], method="DL")
    assert hk.errors[0] == pytest.approx(0.0636, abs=5e-5)
    reml = meta_analysis(data["yi"], data["vi"], test="z")
    assert reml.tau2 == pytest.approx(0.0188, abs=5e-5)
    assert (reml.coefficients[0], reml.errors[0]) == pytest.approx((0.0837, 0.0516), abs=5e-5)
    predicted = reml.predicted_low, reml.predicted_high
    # metafor stops its scoring at a change of 1e-5 in tau2; the exact optimum gives .3710.
    assert predicted == pytest.approx((-0.2036, 0.3711), abs=1.5e-4)
    hk = meta_analysis(data["yi"], data["vi"])
    assert hk.errors[0] == pytest.approx(0.0616, abs=5e-5)
    assert (hk.low[0], hk.high[0]) == pytest.approx((-0.0457, 0.2131), abs=5e-5)


def bcg() -> pd.DataFrame:
    """Log risk ratios and their variances: escalc(measure = "RR", …, data = dat.bcg)."""
    data = anchor("bcg")
    treated, control = data["tpos"] + data["tneg"], data["cpos"] + data["cneg"]
    ratio = (data["tpos"] / treated) / (data["cpos"] / control)
    variance = 1 / data["tpos"] - 1 / treated + 1 / data["cpos"] - 1 / control
    return data.assign(yi=np.log(ratio), vi=variance)


def test_meta_analysis_of_bcg() -> None:
    data = bcg()
    dl = meta_analysis(data["yi"], data["vi"], method="DL", test="z")
    assert (dl.q, dl.i2) == pytest.approx((152.2330, 92.1173), abs=5e-5)
    assert (dl.tau2, dl.coefficients[0]) == pytest.approx((0.3088, -0.7141), abs=5e-5)
    assert (dl.low[0], dl.high[0]) == pytest.approx((-1.0644, -0.3638), abs=5e-5)
    rest = data.iloc[1:]
    without = meta_analysis(rest["yi"], rest["vi"], test="z")
    assert without.coefficients[0] == pytest.approx(-0.7070838, abs=5e-6)
    assert without.errors[0] == pytest.approx(0.1899610, abs=5e-6)
    assert without.tau2 == pytest.approx(0.3361567, abs=5e-6)
    assert without.q == pytest.approx(151.5825727, abs=5e-7)


def test_paule_mandel_is_statsmodels() -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    data = anchor("raudenbush1985")
    theirs = combine_effects(data["yi"], data["vi"], method_re="pm", atol=1e-14)
    ours = meta_analysis(data["yi"], data["vi"], method="PM")
    assert ours.tau2 == pytest.approx(theirs.tau2, rel=1e-8)


def test_robust_variances_with_the_remls_weights() -> None:
    """robust(rma(yi, vi, data = dat.bcg), cluster = trial), and with clubSandwich = TRUE: the
    weights are ours, the sandwiches statsmodels'."""
    data = bcg()
    y, v = data["yi"].to_numpy(), data["vi"].to_numpy()
    tau2 = meta_analysis(y, v).tau2
    fit = sm.WLS(y, np.ones(13), weights=1 / (v + tau2)).fit()
    cr0 = float(fit.get_robustcov_results("HC0").cov_params()[0, 0])
    cr2 = float(fit.get_robustcov_results("HC2").cov_params()[0, 0])
    cr1 = cr0 * 13 / 12
    assert cr0 == pytest.approx(0.029636, abs=5e-7)
    assert cr1 == pytest.approx(0.032106, abs=5e-7)
    assert float(fit.params[0]) / math.sqrt(cr1) == pytest.approx(-3.98776, abs=5e-6)
    assert cr2 == pytest.approx(0.03229357, abs=5e-9)


def test_permuted_meta_analyses() -> None:
    """permutest(rma(measure = "RD", …, data = dat.hine1989)), exact: 4 of 64 signs, and of 720
    orders of the moderator (3, 1, 2, 2, 4, 5) two, are as extreme. Deaths under lidocaine and
    without (Hine and others 1989)."""
    n1, n2 = (np.array(n) for n in ([39, 44, 107, 103, 110, 154], [43, 44, 110, 100, 106, 146]))
    p1, p2 = np.array([2, 4, 6, 7, 7, 11]) / n1, np.array([1, 4, 4, 5, 3, 4]) / n2
    y, v = p1 - p2, p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2

    def extreme(z: list[float]) -> int:
        return int(np.sum(np.abs(z) >= abs(z[0]) - 1e-9))

    signs = [meta_analysis(np.array(s) * y, v, test="z") for s in product((1, -1), repeat=6)]
    assert extreme([float(fit.coefficients[0] / fit.errors[0]) for fit in signs]) == 4
    orders = [
        meta_analysis(y, v, moderators=np.column_stack([np.ones(6), order]), test="z")
        for order in permutations((3, 1, 2, 2, 4, 5))
    ]
    assert extreme([float(fit.coefficients[1] / fit.errors[1]) for fit in orders]) == 2


def test_dependent_estimates_give_a_less_precise_mean() -> None:
    z, v = np.array([0.5, 0.6, 0.7, 0.55]), 0.04
    alone = meta_analysis(z, np.full(4, v), test="z")
    together = meta_analysis(z, v * (0.2 * np.eye(4) + 0.8), test="z")
    assert together.errors[0] > 1.5 * alone.errors[0]
    assert alone.coefficients[0] == pytest.approx(together.coefficients[0])


def test_equicorrelated_keeps_variances_and_can_be_inverted() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5, 8)) + rng.normal(size=(5, 1))
    singular = np.cov(z.T)
    assert np.linalg.matrix_rank(singular) < 8
    equal = equicorrelated(singular)
    assert np.diag(equal) == pytest.approx(np.diag(singular))
    assert np.linalg.eigvalsh(equal).min() > 0
    assert equicorrelated(np.array([[2.0]])) == pytest.approx(2.0)


def test_intervals_and_p_of_both_tests() -> None:
    """Weighted by hand: estimates 0 and 2 and 1, equal variances 1, hence mean 1 and Q 2."""
    y, v = [0.0, 2.0, 1.0], [1.0, 1.0, 1.0]
    normal = meta_analysis(y, v, test="z", level=0.9)
    assert (normal.q, normal.i2, normal.tau2) == pytest.approx((2, 0, 0), abs=1e-6)
    assert normal.q_p == pytest.approx(stats.chi2.sf(2, 2))
    assert normal.errors[0] == pytest.approx(1 / math.sqrt(3))
    assert normal.p[0] == pytest.approx(2 * stats.norm.sf(math.sqrt(3)))
    reach = stats.norm.ppf(0.95) / math.sqrt(3)
    assert (normal.low[0], normal.high[0]) == pytest.approx((1 - reach, 1 + reach))
    student = meta_analysis(y, v)
    # Hartung & Knapp: the weighted sum of squares over k - 1 is 1, so the error is the same.
    assert student.p[0] == pytest.approx(2 * stats.t.sf(math.sqrt(3), 2))
    assert student.predicted_high == pytest.approx(student.high[0], abs=1e-5), "no heterogeneity"
    assert student.n == 3


@pytest.mark.parametrize("method", ["REML", "DL", "PM"])
def test_estimates_that_differ_by_less_than_their_errors_have_no_heterogeneity(
    method: Method,
) -> None:
    result = meta_analysis([0.1, 0.12, 0.11], [1.0, 2.0, 1.5], method=method)
    assert (result.tau2, result.i2) == (0, 0)
    alike = meta_analysis([0.1, 0.1], [1.0, 1.0], method=method)
    assert (alike.q, alike.i2) == (0, 0)


@pytest.mark.parametrize("method", ["REML", "DL", "PM"])
def test_large_heterogeneity_is_the_variance_of_the_estimates(method: Method) -> None:
    """With errors that are next to nothing τ² is the plain variance, however large."""
    y = 100 * np.array([1.0, 4.0, 2.0, 7.0, 3.0])
    result = meta_analysis(y, np.full(5, 1e-6), method=method)
    assert result.tau2 == pytest.approx(y.var(ddof=1), rel=1e-4)


def test_moderators_are_weighted_least_squares() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(9), rng.normal(size=9)])
    y, v = x @ [1.0, 2.0] + 0.01 * rng.normal(size=9), rng.uniform(0.5, 1.5, 9)
    result = meta_analysis(y, v, moderators=x, test="z")
    fit = sm.WLS(y, x, weights=1 / v).fit()
    assert result.tau2 == 0
    assert result.coefficients == pytest.approx(fit.params)
    assert result.errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(x.T / v @ x))))
    assert math.isnan(result.predicted_low)
    assert math.isnan(result.predicted_high)
    assert len(result.to_frame()) == 2
    with pytest.raises(ValueError, match="2 estimates are too few for 2 coefficients"):
        meta_analysis(y[:2], v[:2], moderators=x[:2])
    with pytest.raises(ValueError, match="1 estimates are too few for 1 coefficients"):
        meta_analysis([0.3], [0.1])


def test_equal_correlations_are_the_mean_of_those_there_are() -> None:
    scale = np.outer([1, 2, 3], [1, 2, 3])
    correlations = np.array([[1, 0.2, 0.3], [0.2, 1, 0.7], [0.3, 0.7, 1]])
    expected = np.where(np.eye(3) == 1, 1, 0.4) * scale
    assert equicorrelated(correlations * scale) == pytest.approx(expected)
    negative = np.array([[1, -0.5], [-0.5, 4]])
    assert equicorrelated(negative) == pytest.approx(np.diag([1, 4]))
    perfect = np.array([[1.0, 2.0], [2.0, 4.0]])
    assert equicorrelated(perfect)[0, 1] == pytest.approx(2 * 0.99)
