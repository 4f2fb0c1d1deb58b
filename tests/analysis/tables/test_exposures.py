"""Exposures: hand-computed numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.tables.exposures import exposures, task_exposures
from tests.analysis.samples import IN_CONTEXT, X, Y, scores_frame


def exposure_scores(value: Any, exposure: Any) -> pd.DataFrame:
    """12 pairs of 4 families, 3 tasks of 2 types; score and exposure are functions."""
    return scores_frame(
        [
            {
                "pair": f"p{p:02d}",
                "family": f"f{p % 4}",
                "arm": arm,
                "task": task,
                "task_type": "one" if t < 2 else "two",
                "exposure": exposure(p, t),
                "score": value(p, t, arm),
            }
            for p in range(12)
            for t, task in enumerate(("a", "b", "c"))
            for arm in (X, Y)
        ]
    )


def test_combinations_are_divided_by_what_each_pair_has_seen() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (12, 3))

    def value(p: int, t: int, arm: str) -> float:
        base = 0.2 + 0.05 * p
        if arm.startswith("base"):
            return base
        return float(base + (0.1 if p < 6 else -0.2) + noise[p, t])

    frame = exposure_scores(value, lambda p, t: "seen_task" if p < 6 else "unseen_type")
    assert (task_exposures(frame) == "").all()
    table = exposures(frame, [IN_CONTEXT]).set_index(["exposure", "task_type", "quantity"])
    seen = table.loc["seen_task", "", "gap"]
    assert seen["estimate"] == pytest.approx(0.1 + noise[:6].mean())
    assert (seen["n_pairs"], seen["n_families"], seen["n_tasks"]) == (6, 4, 3)
    assert seen["low"] < seen["estimate"] < seen["high"]
    unseen = table.loc["unseen_type", "", "gap"]
    assert unseen["estimate"] == pytest.approx(-0.2 + noise[6:].mean())
    of_task = [
        np.corrcoef(
            [value(p, t, "base") for p in range(6)], [value(p, t, "tuned") for p in range(6)]
        )[0, 1]
        for t in range(3)
    ]
    wanted = math.tanh(np.arctanh(of_task).mean())
    assert table.loc["seen_task", "", "pearson"]["estimate"] == pytest.approx(wanted)
    by_type = exposures(frame, [IN_CONTEXT])
    assert set(by_type["task_type"]) == {"", "one", "two"}


def test_task_exposures_are_those_equal_for_all_pairs() -> None:
    frame = exposure_scores(lambda p, t, arm: 0.5 + 0.01 * p, lambda p, t: ("seen_task", "", "")[t])
    assert task_exposures(frame).to_dict() == {"a": "seen_task", "b": "", "c": ""}
    assert set(exposures(frame, [IN_CONTEXT])["n_tasks"]) == {1}
