"""The mixed model: its likelihood against the plain formula, and what it recovers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse

from analysis.statistics.multilevel.mixed_model import Term, mixed_model
from analysis.statistics.multilevel.reml import Block, Restricted
from analysis.tables.cell_model import cell_model, cell_models
from study.config.analysis import Contrast
from study.results.schema import SCORES

CONTRAST = Contrast(name="icl", x="base-5shot", y="tuned-0shot")


def a_model(rng: np.random.Generator) -> Restricted:
    """Crossed factors, one with a correlated slope, and unequal known variances."""
    n = 40
    slope = rng.normal(size=n)
    one, two = np.eye(6)[rng.integers(0, 6, n)], np.eye(4)[rng.integers(0, 4, n)]
    of_one = np.stack([one, one * slope[:, None]], axis=2).reshape(n, 12)
    return Restricted(
        y=rng.normal(size=n),
        x=np.column_stack([np.ones(n), slope]),
        z=sparse.csr_array(np.column_stack([of_one, two])),
        known=rng.uniform(0.1, 1.0, n),
        blocks=(Block(6, 2), Block(4, 1)),
        residual=True,
    )


def test_the_likelihood_is_that_of_the_whole_covariance() -> None:
    rng = np.random.default_rng(0)
    model = a_model(rng)
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
    left = y - x @ beta
    logs = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    expected = logs + left @ inverse @ left + (len(y) - 2) * math.log(2 * math.pi)
    found = model.solved(theta)
    assert found.criterion == pytest.approx(expected, rel=1e-12)
    assert found.coefficients == pytest.approx(beta, rel=1e-9)
    assert found.covariance == pytest.approx(np.linalg.inv(information), rel=1e-9)
    by_steps = optimize.approx_fprime(theta, lambda t: model.solved(t).criterion, 1e-6)
    assert found.slope == pytest.approx(by_steps, rel=1e-4, abs=1e-4)


def test_the_fit_is_where_a_search_without_slopes_ends() -> None:
    model = a_model(np.random.default_rng(5))
    theta = model.climbed()
    search = optimize.minimize(
        lambda t: model.solved(np.abs(t) * [1, np.sign(t[1]), 1, 1, 1]).criterion,
        theta + 0.05, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-10},
    )  # fmt: skip
    assert model.solved(theta).criterion <= search.fun + 1e-6


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


def scores_of(
    rng: np.random.Generator, *, pairs: int = 24, tasks: int = 12, params: bool = True
) -> pd.DataFrame:
    """Base and tuned scores: easy tasks are easy and good models good on both sides, and half of
    what is a base's own on a task stays. Families of four."""
    ability = rng.normal(0, 0.08, pairs)
    easy = rng.normal(0, 0.1, tasks)
    own = rng.normal(0, 0.08, (pairs, tasks))
    x = 0.5 + ability[:, None] + easy + own
    y = 0.5 + ability[:, None] + easy + 0.5 * own + rng.normal(0, 0.02, (pairs, tasks))
    rows = [
        {"pair": f"p{i}", "family": f"f{i // 4}", "params_b": 2.0 ** (i % 4) if params else None,
         "arm": arm, "role": arm.split("-")[0], "task": f"t{t}", "task_type": f"type{t % 2}",
         "score": float(of[i, t]), "stderr": 0.01, "chance": 0.0, "source": "made"}
        for arm, of in ((CONTRAST.x, x), (CONTRAST.y, y))
        for i in range(pairs)
        for t in range(tasks)
    ]  # fmt: skip
    frame = pd.DataFrame(rows).reindex(columns=list(SCORES))
    text = [name for name, kind in SCORES.items() if kind == "str"]
    frame[text] = frame[text].fillna("")
    return frame.astype(SCORES)


def test_it_tells_what_is_a_models_own_from_what_is_common() -> None:
    scores = scores_of(np.random.default_rng(1))
    found = cell_models(scores, [CONTRAST]).set_index("effect")
    for task_type in ("type0", "type1"):
        row = found.loc[f"cell: {task_type}"]
        assert row["estimate"] == pytest.approx(0.5, abs=0.06)
        assert row["low"] < row["estimate"] < row["high"]
    assert found.loc["between tasks", "estimate"] > 0.7
    assert found.loc["within families", "estimate"] > 0.7
    assert found.loc["deviation: residual", "estimate"] == pytest.approx(
        math.sqrt(0.02**2 - 0.01**2), abs=0.006
    )
    assert found.loc["latent", "estimate"] > 0.7
    assert (found["n_pairs"] == 24).all()


def test_relabelled_families_and_shuffled_rows_change_nothing() -> None:
    scores = scores_of(np.random.default_rng(3))
    found = cell_models(scores, [CONTRAST])
    names = {f"f{i}": f"z{9 - i}" for i in range(6)}
    other = scores.assign(family=scores["family"].map(names)).sample(frac=1, random_state=0)
    again = cell_models(other.astype(SCORES), [CONTRAST])
    for column in ("estimate", "low", "high", "p"):
        assert again[column].to_numpy(float) == pytest.approx(
            found[column].to_numpy(float), abs=1e-5, nan_ok=True
        )


def test_what_is_not_known_is_said() -> None:
    rng = np.random.default_rng(4)
    unsized = cell_models(scores_of(rng, params=False), [CONTRAST]).set_index("effect")
    assert "log parameters" not in unsized.index
    assert unsized.loc["constant", "note"] == "sizes unknown"
    scores = scores_of(rng)
    blind = cell_models(scores.assign(stderr=math.nan), [CONTRAST]).set_index("effect")
    assert blind.loc["constant", "note"] == "sampling variances unknown"
    assert "unknown" in blind.loc["latent", "note"]
    alone = cell_models(scores[scores["task"] == "t0"], [CONTRAST])
    assert alone["note"].iloc[0].startswith("not estimable")
    lonely = scores.assign(family=scores["pair"])
    fit = cell_models(lonely, [CONTRAST]).set_index("effect")
    assert "no spread within families" in fit.loc["constant", "note"]
    assert "deviation: family" not in fit.index


def test_scores_without_noise_end_at_the_boundary() -> None:
    scores = scores_of(np.random.default_rng(6)).assign(stderr=0.3)
    found = cell_models(scores, [CONTRAST]).set_index("effect")
    assert found.loc["deviation: residual", "estimate"] == 0
    assert found.loc["deviation: residual", "note"] == "at the boundary"
    assert np.isfinite(found.loc["cell: type0", "estimate"])


def test_a_sentence_and_a_frame() -> None:
    from analysis.data.points import contrast_points

    scores = scores_of(np.random.default_rng(7))
    fit = cell_model(contrast_points(scores, x_arm=CONTRAST.x, y_arm=CONTRAST.y, level="task"))
    frame = fit.to_frame()
    assert list(frame["effect"]) == list(fit.names)
    assert frame["stderr"].to_numpy() == pytest.approx(fit.errors)
    assert f"{fit.n} scores" in fit.sentence()
