"""Every number of published software that our estimators must give, each with its source.

The data sets are published observations, read from `../shared/data/anchors` where it is at hand.
"""

from __future__ import annotations

import math
from itertools import pairwise, permutations, product

import numpy as np
import pandas as pd
import pingouin
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from analysis.data.families import Families
from analysis.statistics.correlation.dependent import (
    bonett_wright_interval,
    dunn_clark,
    fisher_interval,
    independent,
    meng,
    steiger,
    steiger_nonoverlapping,
    williams,
    zou,
)
from analysis.statistics.correlation.partial import partial_correlation, within_between
from analysis.statistics.disattenuation.likelihood import by_likelihood
from analysis.statistics.disattenuation.moments import reliability, spearman_correction
from analysis.statistics.items.agreement import error_consistency
from analysis.statistics.items.sampling import (
    detectable_difference,
    empirical_logit,
    items_needed,
    paired_standard_error,
    pairs_needed,
    standard_error,
    wilson_interval,
)
from analysis.statistics.multilevel.meta_analysis import meta_analysis
from analysis.statistics.multilevel.mixed_model import Term, mixed_model
from analysis.statistics.resampling.wild_bootstrap import wild_test
from tests.conftest import SHARED

ANCHORS = SHARED / "data" / "anchors"


def anchor(name: str) -> pd.DataFrame:
    path = ANCHORS / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path} is not at hand")
    return pd.read_csv(path)


# Error bars: Miller 2024 (arXiv 2411.00640); Newcombe 1998 for Wilson.


def test_items_needed_and_detectable_difference() -> None:
    assert items_needed(0.03, 1 / 9) == 969
    one = detectable_difference(198, 1 / 9, within_x=1 / 6, within_y=1 / 6, draws=1)
    ten = detectable_difference(198, 1 / 9, within_x=1 / 6, within_y=1 / 6, draws=10)
    assert one == pytest.approx(0.1327333, abs=5e-8)
    assert ten == pytest.approx(0.0756696, abs=5e-8)


def test_standard_errors() -> None:
    s, clusters = [1, 1, 1, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    assert standard_error(s) == pytest.approx(0.1666667, abs=5e-8)
    plain = standard_error(s, clusters=clusters, few_clusters=False)
    assert plain == pytest.approx(0.2549510, abs=5e-8)
    assert standard_error(s, clusters=clusters) == pytest.approx(0.2943920, abs=5e-8)
    alone = standard_error(s, clusters=range(10), few_clusters=False)
    assert alone == pytest.approx(standard_error(s) * math.sqrt(9 / 10))
    assert paired_standard_error(s, s) == 0
    assert math.isnan(standard_error([1.0]))
    assert math.isnan(standard_error(s, clusters=[0] * 10))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.255289, 0.366210), (0, 20, 0, 0.161125), (1, 29, 0.006113, 0.171755)],
)
def test_wilson(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-7)


# Measurement error.


def test_spearman_correction() -> None:
    assert spearman_correction(0.5, 0.8, 0.7) == pytest.approx(0.6681531, abs=5e-8)


def test_reliability_is_cronbachs_alpha_and_kr20() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(12, 1)) + rng.normal(size=(12, 50)) > 0).astype(float)
    n = x.shape[1]
    total = x.sum(1).var(ddof=1)
    alpha = n / (n - 1) * (1 - x.var(0, ddof=1).sum() / total)
    # Kuder & Richardson's formula 20 with p(1-p) times M/(M-1).
    kr20 = n / (n - 1) * (1 - (x.mean(0) * (1 - x.mean(0))).sum() * 12 / 11 / total)
    assert reliability(x) == pytest.approx(alpha, abs=1e-12)
    assert reliability(x) == pytest.approx(kr20, abs=1e-12)


def test_bivariate_likelihood() -> None:
    """metafor, dat.berkey1998: rma.mv(yi, V, mods=~outcome-1, struct="UN", method="ML")."""
    data = anchor("berkey1998")
    al, pd_ = (data[data["outcome"] == name] for name in ("AL", "PD"))
    of_trials = [data[data["trial"] == trial] for trial in al["trial"]]
    assert all(list(own["outcome"]) == ["PD", "AL"] for own in of_trials)
    errors = np.stack([own[["v1i", "v2i"]].to_numpy()[::-1, ::-1] for own in of_trials])
    fit = by_likelihood(al["yi"], pd_["yi"], errors)
    assert fit.means == pytest.approx([-0.3379, 0.3448], abs=5e-5)
    assert fit.mean_errors == pytest.approx([0.0798, 0.0495], abs=5e-5)
    assert np.diag(fit.covariance) == pytest.approx([0.0261, 0.0070], abs=5e-5)
    assert fit.rho == pytest.approx(0.6992, abs=5e-5)
    assert fit.p == pytest.approx(0.2452, abs=5e-5)
    restricted = by_likelihood(al["yi"], pd_["yi"], errors, restricted=True)
    assert np.diag(restricted.covariance) == pytest.approx([0.0327, 0.0117], abs=5e-5)
    assert restricted.rho == pytest.approx(0.6088, abs=5e-5)


# Two correlations: the tests of R's cocor; psych::r.test for Steiger's.


def test_dependent_correlations() -> None:
    found = williams(0.3, 0.4, 0.5, 100)
    assert (found.statistic, found.p) == pytest.approx((-1.0767, 0.2843), abs=5e-5)
    assert steiger(0.4, 0.5, 0.1, 103).statistic == pytest.approx(-0.8887185, abs=5e-8)
    found = dunn_clark(0.5, 0.6, 0.7, 100)
    assert (found.statistic, found.p) == pytest.approx((-1.5838851123, 0.1132198659), abs=5e-11)
    found = meng(0.3, 0.4, 0.5, 100)
    assert (found.statistic, found.p) == pytest.approx((-1.0707, 0.2843), abs=5e-5)
    assert zou(0.396, 0.179, 0.088, 66) == pytest.approx((-0.093, 0.517), abs=5e-4)
    found = steiger_nonoverlapping(0.5, 0.6, 0.8, 0.5, 0.5, 0.7, 103)
    assert found.statistic == pytest.approx(-1.4050, abs=5e-5)
    found = independent(0.4, 100, 0.5, 100)
    assert (found.statistic, found.p) == pytest.approx((-0.8751012342, 0.3815188256), abs=5e-11)
    assert independent(0.657, 62, 0.430, 143).statistic == pytest.approx(2.110737, abs=5e-7)


def test_intervals_of_one_correlation() -> None:
    assert fisher_interval(0.5, 30) == pytest.approx((0.170432, 0.728959), abs=1e-6)
    assert bonett_wright_interval(0.6, 30) == pytest.approx((0.276057, 0.801533), abs=5e-7)
    assert (pairs_needed(0.3), pairs_needed(0.5)) == (85, 30)


def test_empirical_logit() -> None:
    assert empirical_logit(9, 10) == pytest.approx((1.8458267, 0.7719298), abs=5e-8)


# Few families: the wild cluster restricted bootstrap.


def test_wild_bootstrap_of_wildboottest() -> None:
    """wildboottest 0.3.2, ols("PaCO2 ~ pH", bland1995), param "pH", cluster Subject, Rademacher,
    "11", null imposed, all 256 sign vectors: t -.172781, p .867188, which leaves out the two sign
    vectors that are the data itself; an exact test counts them (Phipson & Smyth 2010)."""
    data = anchor("bland1995")
    families = Families.of(list(data["Subject"]))
    found = wild_test(data["pH"], data["PaCO2"], families, rng=np.random.default_rng(0))
    assert found.t == pytest.approx(-0.172781, abs=5e-7)
    assert found.p - 2 / 256 == pytest.approx(0.867188, abs=5e-7)


# Meta-analysis: metafor's tests on dat.raudenbush1985 and dat.bcg.


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


# Mixed models: lme4's data sets and documentation.


def test_penicillin() -> None:
    """lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin)"""
    data = anchor("penicillin")
    terms = {name: Term(list(data[name])) for name in ("plate", "sample")}
    fit = mixed_model(data["diameter"], {"constant": 1.0}, terms)
    assert fit.deviations["plate"] == pytest.approx(0.8466653, abs=5e-5)
    assert fit.deviations["sample"] == pytest.approx(1.9316715, abs=5e-4)
    assert fit.deviations["residual"] == pytest.approx(0.5499264, abs=5e-5)
    assert fit.coefficients[0] == pytest.approx(22.97222, abs=5e-5)
    assert fit.errors[0] == pytest.approx(0.8086167, abs=5e-4)
    assert fit.criterion == pytest.approx(330.8606, abs=5e-5)


def test_dyestuff() -> None:
    """lmer(Yield ~ 1 + (1 | Batch), Dyestuff)"""
    data = anchor("dyestuff")
    fit = mixed_model(data["Yield"], {"constant": 1.0}, {"batch": Term(list(data["Batch"]))})
    assert fit.deviations["batch"] == pytest.approx(42.00, abs=5e-3)
    assert fit.deviations["residual"] == pytest.approx(49.51, abs=5e-3)
    assert fit.coefficients[0] == pytest.approx(1527.5)
    assert fit.errors[0] == pytest.approx(19.38, abs=5e-3)
    assert fit.criterion == pytest.approx(319.6543, abs=5e-5)


def test_sleepstudy() -> None:
    """lmer(Reaction ~ 1 + Days + (1 + Days | Subject), sleepstudy): correlated effects."""
    data = anchor("sleepstudy")
    days = data["Days"]
    fit = mixed_model(
        data["Reaction"],
        {"constant": 1.0, "days": days},
        {"subject": Term(list(data["Subject"]), {"days": days})},
    )
    assert fit.coefficients == pytest.approx([251.405, 10.467], abs=5e-4)
    assert fit.errors == pytest.approx([6.825, 1.546], abs=5e-4)
    intercept, slope = fit.deviations["subject"], fit.deviations["subject:days"]
    assert intercept**2 == pytest.approx(612.10, abs=1.5e-2)
    assert slope**2 == pytest.approx(35.07, abs=5e-3)
    together = fit.correlations["subject:intercept,days"] * intercept * slope
    assert together == pytest.approx(9.604, abs=1e-3)
    assert fit.deviations["residual"] ** 2 == pytest.approx(654.94, abs=5e-3)
    assert fit.criterion == pytest.approx(1743.628, abs=5e-4)


def test_a_component_of_nothing_is_zero() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(6, 5))
    y -= y.mean(1, keepdims=True)  # batches differ by less than chance would have them
    batch = np.repeat(np.arange(6), 5).tolist()
    fit = mixed_model(y.ravel(), {"constant": 1.0}, {"batch": Term(batch)})
    assert fit.deviations["batch"] == 0
    assert fit.at_boundary == ("batch",)
    assert fit.deviations["residual"] == pytest.approx(y.ravel().std(ddof=1), rel=1e-4)


# Within and between: R's rmcorr on bland1995.


def test_bland() -> None:
    data = anchor("bland1995")
    found = within_between(data["pH"], data["PaCO2"], Families.of(list(data["Subject"])))
    assert found.within == pytest.approx(-0.5067698, abs=5e-7)
    assert found.within_df == 38
    assert found.within_p == pytest.approx(0.0008471081, abs=5e-9)
    ends = found.within_low, found.within_high
    assert ends == pytest.approx((-0.7067146, -0.2318632), abs=5e-7)
    assert found.pooled == pytest.approx(-0.0652, abs=5e-5)
    assert found.between == pytest.approx(0.0818, abs=5e-5)


def test_partial_correlation_is_the_formula() -> None:
    """r_xy.z = (r_xy - r_xz r_yz) / √((1 - r_xz²)(1 - r_yz²)) for one covariate."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=30)
    x, y = z + rng.normal(size=30), z - rng.normal(size=30)
    rxy, rxz, ryz = (np.corrcoef(a, b)[0, 1] for a, b in ((x, y), (x, z), (y, z)))
    expected = (rxy - rxz * ryz) / math.sqrt((1 - rxz**2) * (1 - ryz**2))
    assert partial_correlation(x, y, z).estimate == pytest.approx(expected, abs=1e-12)


def test_partial_correlation_of_pingouin() -> None:
    """pg.partial_corr(pg.read_dataset("partial_corr"), "x", "y", "cv1")"""
    data = pingouin.read_dataset("partial_corr")
    found = partial_correlation(data["x"], data["y"], data["cv1"])
    assert len(data) == 30
    assert found.estimate == pytest.approx(0.568169, abs=5e-7)
    assert found.p == pytest.approx(0.001303, abs=5e-7)
    assert (round(found.low, 2), round(found.high, 2)) == (0.25, 0.77)


# Reliability: Cronbach 1951, Hoyt 1941, Kuder & Richardson 1937.


def test_cronbachs_alpha() -> None:
    """pg.cronbach_alpha(pg.read_dataset("cronbach_alpha"), …)"""
    data = pingouin.read_dataset("cronbach_alpha")
    wide = data.pivot(index="Subj", columns="Items", values="Scores")
    assert reliability(wide) == pytest.approx(0.5917188, abs=5e-8)


def test_three_routes_to_one_reliability() -> None:
    rng = np.random.default_rng(12)
    scores = (rng.normal(size=(12, 1)) + rng.normal(size=(12, 50)) > 0).astype(float)
    hoyt = reliability(scores)
    k, share = scores.shape[1], scores.mean(0)
    # Kuder & Richardson's variances with n - 1, as the others have them.
    within = float((share * (1 - share)).sum()) * 12 / 11
    kr20 = k / (k - 1) * (1 - within / float(scores.sum(1).var(ddof=1)))
    alpha, _ = pingouin.cronbach_alpha(pd.DataFrame(scores))
    assert hoyt == pytest.approx(kr20, rel=1e-12)
    assert hoyt == pytest.approx(alpha, rel=1e-12)


# Multiplicity: Benjamini & Hochberg 1995, their example.


def test_multiplicity() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert all(a <= b for a, b in pairwise(p))
    holm, bh = (multipletests(p, method=name)[1] for name in ("holm", "fdr_bh"))
    assert (int(np.sum(holm <= 0.05)), int(np.sum(bh <= 0.05))) == (3, 4)
    assert holm[:5] == pytest.approx([0.0015, 0.0056, 0.0247, 0.114, 0.2211], abs=5e-5)
    assert bh[:5] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603], abs=5e-6)


def test_error_consistency() -> None:
    assert error_consistency([1] * 6 + [0] * 4, [1, 1, 1, 1, 0, 0, 0, 0, 1, 0]) == pytest.approx(
        0.4
    )
    assert math.isnan(error_consistency([1, 1], [1, 1]))
