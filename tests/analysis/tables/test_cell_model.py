"""The mixed model of all cells recovers simulated slopes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.tables.cell_model import cell_model, cell_models
from study.results.schema import SCORES
from tests.analysis.samples import (
    IN_CONTEXT,
)


def simulated_cells(
    rng: np.random.Generator, *, pairs: int = 24, tasks: int = 12, params: bool = True
) -> pd.DataFrame:
    """Base and tuned scores: easy tasks are easy and good models good on both sides, and half of
    what is a base's interaction on a task stays. Families of four."""
    ability = rng.normal(0, 0.08, pairs)
    easy = rng.normal(0, 0.1, tasks)
    interaction = rng.normal(0, 0.08, (pairs, tasks))
    x = 0.5 + ability[:, None] + easy + interaction
    y = 0.5 + ability[:, None] + easy + 0.5 * interaction + rng.normal(0, 0.02, (pairs, tasks))
    rows = [
        {
            "pair": f"p{i}",
            "family": f"f{i // 4}",
            "params_b": 2.0 ** (i % 4) if params else None,
            "arm": arm,
            "role": arm.split("-")[0],
            "task": f"t{t}",
            "task_type": f"type{t % 2}",
            "score": float(of[i, t]),
            "stderr": 0.01,
            "chance": 0.0,
            "source": "made",
        }
        for arm, of in ((IN_CONTEXT.x, x), (IN_CONTEXT.y, y))
        for i in range(pairs)
        for t in range(tasks)
    ]
    frame = pd.DataFrame(rows).reindex(columns=list(SCORES))
    text = [name for name, kind in SCORES.items() if kind == "str"]
    frame[text] = frame[text].fillna("")
    return frame.astype(SCORES)


def test_slopes_of_cells_families_and_tasks_are_separated() -> None:
    scores = simulated_cells(np.random.default_rng(1))
    table = cell_models(scores, [IN_CONTEXT]).set_index("effect")
    for task_type in ("type0", "type1"):
        row = table.loc[f"cell: {task_type}"]
        assert row["estimate"] == pytest.approx(0.5, abs=0.06)
        assert row["low"] < row["estimate"] < row["high"]
    assert table.loc["between tasks", "estimate"] > 0.7
    assert table.loc["within families", "estimate"] > 0.7
    assert table.loc["deviation: residual", "estimate"] == pytest.approx(
        math.sqrt(0.02**2 - 0.01**2), abs=0.006
    )
    assert table.loc["latent", "estimate"] > 0.7
    assert (table["n_pairs"] == 24).all()


def test_relabelled_families_and_shuffled_rows_change_nothing() -> None:
    scores = simulated_cells(np.random.default_rng(3))
    table = cell_models(scores, [IN_CONTEXT])
    names = {f"f{i}": f"z{9 - i}" for i in range(6)}
    other = scores.assign(family=scores["family"].map(names)).sample(frac=1, random_state=0)
    other_table = cell_models(other.astype(SCORES), [IN_CONTEXT])
    for column in ("estimate", "low", "high", "p"):
        assert other_table[column].to_numpy(float) == pytest.approx(
            table[column].to_numpy(float), abs=1e-5, nan_ok=True
        )


def test_notes_say_what_is_unknown() -> None:
    rng = np.random.default_rng(4)
    unsized = cell_models(simulated_cells(rng, tasks=6, params=False), [IN_CONTEXT]).set_index(
        "effect"
    )
    assert "log parameters" not in unsized.index
    assert unsized.loc["constant", "note"] == "sizes unknown"
    scores = simulated_cells(rng, tasks=6)
    blind = cell_models(scores.assign(stderr=math.nan), [IN_CONTEXT]).set_index("effect")
    assert blind.loc["constant", "note"] == "sampling variances unknown"
    assert "unknown" in blind.loc["latent", "note"]
    alone = cell_models(scores[scores["task"] == "t0"], [IN_CONTEXT])
    assert alone["note"].iloc[0].startswith("not estimable")
    lonely = scores.assign(family=scores["pair"])
    fit = cell_models(lonely, [IN_CONTEXT]).set_index("effect")
    assert "no spread within families" in fit.loc["constant", "note"]
    assert "deviation: family" not in fit.index


def test_scores_without_noise_end_at_the_boundary() -> None:
    scores = simulated_cells(np.random.default_rng(6)).assign(stderr=0.3)
    table = cell_models(scores, [IN_CONTEXT]).set_index("effect")
    assert table.loc["deviation: residual", "estimate"] == 0
    assert table.loc["deviation: residual", "note"] == "at the boundary"
    assert np.isfinite(table.loc["cell: type0", "estimate"])


def test_a_sentence_and_a_frame() -> None:

    scores = simulated_cells(np.random.default_rng(7))
    fit = cell_model(contrast_points(scores, x_arm=IN_CONTEXT.x, y_arm=IN_CONTEXT.y, level="task"))
    frame = fit.to_frame()
    assert list(frame["effect"]) == list(fit.names)
    assert frame["stderr"].to_numpy() == pytest.approx(fit.errors)
    assert f"{fit.n} scores" in fit.sentence()
