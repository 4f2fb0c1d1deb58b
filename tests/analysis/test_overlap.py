"""Item by item, where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.agreement import agreement
from analysis.items import ItemScores
from analysis.overlap import overlap, overlap_text
from study.contract import SCORES
from study.design import Contrast

X, Y = "base-5shot", "tuned-0shot-chat"
CONTRAST = Contrast(name="icl", x=X, y=Y)
PAIRS = ("p0", "p1", "p2")


def made(sides: dict[str, Any]) -> tuple[pd.DataFrame, ItemScores]:
    """Scores and items [pairs, draws, items] of one task."""
    rows = [
        {"pair": pair, "family": pair, "params_b": 1.0, "model": arm, "role": arm.split("-")[0],
         "arm": arm, "task": "t", "task_type": "facts", "exposure": "seen_task", "draw": None,
         "score": float(np.mean(array[i])), "stderr": 0.1, "n_items": array.shape[2],
         "chance": 0.0, "metric": "acc", "source": "made"}
        for arm, array in sides.items() for i, pair in enumerate(PAIRS)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)[list(SCORES)].astype(SCORES)
    return frame, ItemScores({(arm, "t"): (PAIRS, array) for arm, array in sides.items()})


def found(sides: dict[str, Any]) -> pd.DataFrame:
    scores, items = made(sides)
    frame = overlap(scores, [CONTRAST], items)
    assert set(frame["group"]) == {"all tasks", "facts", "exposure: seen_task"}
    return frame[frame["group"] == "all tasks"].set_index("quantity")


def right(seed: int, *shape: int, share: float = 0.5) -> Any:
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def test_the_same_items_are_solved() -> None:
    same = right(0, 3, 1, 200)
    rows = found({X: same, Y: same})
    assert rows.loc["base_given_tuned", "estimate"] == 1
    assert rows.loc["kappa", "estimate"] == 1
    assert rows.loc[["gained", "lost", "only_tuned"], "estimate"].eq(0).all()


def test_shares_are_those_of_each_pair_together() -> None:
    x, y = right(1, 3, 1, 400, share=0.7), right(2, 3, 1, 400, share=0.4)
    rows = found({X: x, Y: y})
    by_hand = (x * y).sum() / y.sum()
    assert rows.loc["base_given_tuned", "estimate"] == pytest.approx(by_hand)
    low, high = rows.loc["base_given_tuned", ["low", "high"]]
    assert low < 0.7 < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / y.sum()), rel=0.2)
    each = [agreement(a[0], b[0]) for a, b in zip(x, y, strict=True)]
    assert rows.loc["gained", "estimate"] == pytest.approx(np.mean([a.gained for a in each]))
    assert rows.loc["kappa", "estimate"] == pytest.approx(np.mean([a.kappa for a in each]))


def test_every_draw_and_arm_of_the_base_counts_for_what_only_tuning_solves() -> None:
    y = np.ones((3, 1, 4))
    few = np.zeros((3, 2, 4))
    few[:, 0, 0] = few[:, 1, 1] = 1.0
    zero = np.zeros((3, 1, 4))
    zero[:, 0, 2] = 1.0
    rows = found({X: few, Y: y, "base-0shot": zero})
    assert rows.loc["only_tuned", "estimate"] == 0.25
    assert rows.loc["base_given_tuned", "estimate"] == 0.25


def test_what_is_undefined_stays_empty() -> None:
    rows = found({X: right(0, 3, 1, 20), Y: np.zeros((3, 1, 20))})
    assert np.isnan(rows.loc["base_given_tuned", "estimate"])
    assert "undefined" in rows.loc["base_given_tuned", "note"]
    rows = found({X: np.ones((3, 1, 20)), Y: np.ones((3, 1, 20))})
    assert np.isnan(rows.loc["kappa", "estimate"])
    assert rows.loc["kappa", "note"] == "undefined for 3 of 3"


def test_scores_that_are_not_right_or_wrong_are_left_out() -> None:
    scores, items = made({X: np.full((3, 1, 5), 0.5), Y: np.ones((3, 1, 5))})
    frame = overlap(scores, [CONTRAST], items)
    assert frame.empty
    assert overlap_text(frame) == ""
