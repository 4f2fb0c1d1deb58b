"""Mixed models: lme4's data sets and documentation, and meta-analysis as a special case."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.multilevel.meta_analysis import meta_analysis
from analysis.statistics.multilevel.mixed_model import Term, mixed_model
from tests.analysis.samples import (
    anchor,
)


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


def test_a_component_without_variance_is_zero() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(6, 5))
    y -= y.mean(1, keepdims=True)  # batches differ by less than chance would have them
    batch = np.repeat(np.arange(6), 5).tolist()
    fit = mixed_model(y.ravel(), {"constant": 1.0}, {"batch": Term(batch)})
    assert fit.deviations["batch"] == 0
    assert fit.at_boundary == ("batch",)
    assert fit.deviations["residual"] == pytest.approx(y.ravel().std(ddof=1), rel=1e-4)


def test_a_rescaled_score_rescales_the_fit() -> None:
    rng = np.random.default_rng(2)
    group = list(rng.integers(0, 8, 60))
    y = rng.normal(size=60) + rng.normal(size=8)[group]
    once = mixed_model(y, {"constant": 1.0}, {"group": Term(group)})
    more = mixed_model(10 * y + 3, {"constant": 1.0}, {"group": Term(group)})
    assert more.coefficients[0] == pytest.approx(10 * once.coefficients[0] + 3, rel=1e-6)
    for name, deviation in once.deviations.items():
        assert more.deviations[name] == pytest.approx(10 * deviation, rel=1e-4)
    order = rng.permutation(60)
    shuffled = mixed_model(y[order], {"constant": 1.0}, {"group": Term([group[i] for i in order])})
    assert shuffled.criterion == pytest.approx(once.criterion, abs=1e-8)
    with pytest.raises(ValueError, match="not independent"):
        mixed_model(y, {"constant": 1.0, "again": 2.0}, {})


def test_known_variances_give_the_meta_analysis() -> None:
    rng = np.random.default_rng(0)
    known = rng.uniform(0.5, 2.0, size=40)
    y = rng.normal(size=40) * np.sqrt(known) + 3
    alone = mixed_model(y, {"constant": 1.0}, {}, known=known, residual=False)
    weights = 1 / known
    assert alone.coefficients[0] == pytest.approx(float(weights @ y / weights.sum()))
    assert alone.errors[0] == pytest.approx(float(weights.sum() ** -0.5))
    study = list(range(40))
    random = mixed_model(y, {"constant": 1.0}, {"study": Term(study)}, known=known, residual=False)
    reml = meta_analysis(y, known, test="z")
    assert random.deviations["study"] ** 2 == pytest.approx(reml.tau2, abs=1e-4)


def test_balanced_groups_are_the_analysis_of_variance() -> None:
    """Variance of groups (MS_between - MS_within)/n; the grand mean has variance MS_between/N."""
    rng = np.random.default_rng(7)
    y = rng.normal(size=(8, 5)) + 2 * rng.normal(size=(8, 1)) + 3
    between = 5 * y.mean(1).var(ddof=1)
    within = y.var(axis=1, ddof=1).mean()
    group = np.repeat(np.arange(8), 5).tolist()
    fit = mixed_model(y.ravel(), {"constant": 1.0}, {"group": Term(group)})
    assert fit.deviations["group"] ** 2 == pytest.approx((between - within) / 5, rel=1e-4)
    assert fit.deviations["residual"] ** 2 == pytest.approx(within, rel=1e-4)
    assert fit.coefficients[0] == pytest.approx(y.mean())
    assert fit.errors[0] ** 2 == pytest.approx(between / 40, rel=1e-4)
    (row,) = fit.to_frame().to_dict("records")
    assert (row["effect"], row["estimate"]) == ("constant", fit.coefficients[0])
    assert row["z"] == pytest.approx(row["estimate"] / row["stderr"])
    assert row["p"] == pytest.approx(2 * stats.norm.sf(row["z"]))
    assert fit.n == 40
    assert fit.at_boundary == ()


def test_starting_values_do_not_change_the_fit() -> None:
    data = anchor("sleepstudy")
    days = data["Days"]
    design = {"constant": 1.0, "days": days}
    terms = {"subject": Term(list(data["Subject"]), {"days": days})}
    cold = mixed_model(data["Reaction"], design, terms)
    warm = mixed_model(data["Reaction"], design, terms, start=cold)
    assert warm.criterion == pytest.approx(cold.criterion, abs=1e-6)
    assert warm.parameters == pytest.approx(cold.parameters, rel=1e-2)


def test_slopes_alone_and_several_slopes_are_named() -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 12, 240)
    a, b = rng.normal(size=(2, 240))
    effects = rng.normal(size=(2, 12))
    y = 1 + effects[0][group] * a + effects[1][group] * b + 0.1 * rng.normal(size=240)
    slopes = {"a": a, "b": b}
    fit = mixed_model(
        y, {"constant": 1.0}, {"group": Term(group.tolist(), slopes, intercept=False)}
    )
    assert set(fit.deviations) == {"group:a", "group:b", "residual"}
    assert set(fit.correlations) == {"group:a,b"}
    assert fit.deviations["group:a"] == pytest.approx(np.sqrt((effects[0] ** 2).mean()), rel=0.1)
    assert fit.correlations["group:a,b"] == pytest.approx(
        float(effects[0] @ effects[1] / np.sqrt((effects**2).sum(1).prod())), abs=0.1
    )
    whole = mixed_model(y, {"constant": 1.0}, {"group": Term(group.tolist(), {"a": a})})
    assert set(whole.deviations) == {"group", "group:a", "residual"}
    assert set(whole.correlations) == {"group:intercept,a"}


def test_known_variances_add_to_a_residual() -> None:
    """Equal known variances leave what is beyond them: 1.5² + 2² makes up the variance 2.5²."""
    rng = np.random.default_rng(5)
    y = rng.normal(size=50)
    y = 2.5 * (y - y.mean()) / y.std(ddof=1)
    fit = mixed_model(y, {"constant": 1.0}, {}, known=np.full(50, 4.0))
    assert fit.deviations["residual"] == pytest.approx(1.5, rel=1e-4)
    assert fit.errors[0] == pytest.approx(2.5 / np.sqrt(50), rel=1e-4)
    assert fit.coefficients[0] == pytest.approx(0, abs=1e-9)
    none = mixed_model(y, {"constant": 1.0}, {}, known=np.full(50, 9.0))
    assert none.at_boundary == ("residual",)


def test_a_model_needs_a_residual_and_a_term_an_effect() -> None:
    y = [0.1, 0.5, 0.2, 0.7]
    with pytest.raises(ValueError, match="known variances or a residual; found neither"):
        mixed_model(y, {"constant": 1.0}, {}, residual=False)
    with pytest.raises(ValueError, match="group needs an intercept or a slope; found neither"):
        mixed_model(y, {"constant": 1.0}, {"group": Term(list("aabb"), intercept=False)})
    constant = mixed_model([0.5] * 4, {"constant": 1.0}, {}, known=[0.1] * 4)
    assert constant.coefficients[0] == pytest.approx(0.5)
    assert "constant 0.5" in constant.sentence()
