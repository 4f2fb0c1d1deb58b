"""Meta-analyses: metafor's tests on dat.raudenbush1985, dat.bcg and dat.hine1989; statsmodels."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis.statistics.multilevel.meta_analysis import equicorrelated, meta_analysis
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
