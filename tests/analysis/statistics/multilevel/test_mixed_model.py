"""Mixed models: lme4's data sets and documentation, and meta-analysis as a special case."""

from __future__ import annotations

import numpy as np
import pytest

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
