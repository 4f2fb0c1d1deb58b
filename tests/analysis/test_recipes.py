"""Exposures, gains between recipes: against hand-made numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures.gains import gains, gains_data
from analysis.figures.losses import losses, losses_data
from analysis.tables.exposures import exposures, task_exposures
from analysis.tables.tuning.recipe_gains import recipe_gains
from study.config.analysis import Comparison, Contrast

CONTRAST = Contrast(name="c", x="base-2shot", y="tuned-0shot")


def scores(value: Any, exposure: Any) -> pd.DataFrame:
    """12 pairs of 4 families, 3 tasks of 2 types; score and exposure by functions."""
    rows = []
    for p in range(12):
        for t, task in enumerate(("a", "b", "c")):
            for arm in ("base-2shot", "tuned-0shot"):
                rows.append(
                    {"pair": f"p{p:02d}", "family": f"f{p % 4}", "params_b": 1.0, "model": "m",
                     "role": arm.split("-")[0], "arm": arm, "task": task,
                     "task_type": "one" if t < 2 else "two", "exposure": exposure(p, t),
                     "draw": None, "score": value(p, t, arm), "stderr": 0.01, "n_items": 100,
                     "chance": 0.0, "metric": "m", "source": "s"}
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_places_are_parted_by_what_each_pair_has_seen() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (12, 3))

    def value(p: int, t: int, arm: str) -> float:
        base = 0.2 + 0.05 * p
        if arm.startswith("base"):
            return base
        return float(base + (0.1 if p < 6 else -0.2) + noise[p, t])

    frame = scores(value, lambda p, t: "seen_task" if p < 6 else "unseen_type")
    assert (task_exposures(frame) == "").all()
    found = exposures(frame, [CONTRAST]).set_index(["exposure", "task_type", "quantity"])
    seen = found.loc["seen_task", "", "gap"]
    assert seen["estimate"] == pytest.approx(0.1 + noise[:6].mean())
    assert (seen["n_pairs"], seen["n_families"], seen["n_tasks"]) == (6, 4, 3)
    assert seen["low"] < seen["estimate"] < seen["high"]
    unseen = found.loc["unseen_type", "", "gap"]
    assert unseen["estimate"] == pytest.approx(-0.2 + noise[6:].mean())
    of_task = [
        np.corrcoef(
            [value(p, t, "base") for p in range(6)], [value(p, t, "tuned") for p in range(6)]
        )[0, 1]
        for t in range(3)
    ]
    wanted = math.tanh(np.arctanh(of_task).mean())
    assert found.loc["seen_task", "", "pearson"]["estimate"] == pytest.approx(wanted)
    by_type = exposures(frame, [CONTRAST])
    assert set(by_type["task_type"]) == {"", "one", "two"}


def test_exposures_that_are_one_for_all_pairs() -> None:
    frame = scores(lambda p, t, arm: 0.5 + 0.01 * p, lambda p, t: ("seen_task", "", "")[t])
    assert task_exposures(frame).to_dict() == {"a": "seen_task", "b": "", "c": ""}
    assert set(exposures(frame, [CONTRAST])["n_tasks"]) == {1}


def tuned_and_scores() -> tuple[pd.DataFrame, pd.DataFrame]:
    tuned, rows = [], []
    for f in range(3):
        for seed in (0, 1):
            for loss, gain in (("output", 0.0), ("all", 0.1)):
                for mixture, more in (("short", 0.0), ("long", 0.2)):
                    pair = f"{f}-{seed}-{loss}-{mixture}"
                    tuned.append(
                        {"pair": pair, "base": f"b{f}", "family": f"f{f}", "grid": "g",
                         "mixture": mixture, "format": "flan", "loss": loss, "indicator": "none",
                         "optimiser": "o", "adapter": "none", "seed": seed}
                    )  # fmt: skip
                    for task in ("a", "b"):
                        more_of = more if loss == "all" else 0
                        rows.append(
                            {"pair": pair, "family": f"f{f}", "role": "tuned", "arm": "t",
                             "task": task, "task_type": task, "n_items": 100,
                             "score": 0.2 + 0.05 * f + 0.01 * seed + gain + more_of}
                        )  # fmt: skip
    return pd.DataFrame(tuned), pd.DataFrame(rows)


def test_gains_are_of_models_that_differ_in_one_thing() -> None:
    tuned, frame = tuned_and_scores()
    found = recipe_gains(frame, tuned, [Comparison(axis="loss", baseline="output")])
    own = found[found["task_type"] == ""].set_index(["mixture", "scale"])
    assert set(found["value"]) == {"all"}
    assert own.loc[("short", "absolute"), "estimate"] == pytest.approx(0.1)
    assert own.loc[("long", "absolute"), "estimate"] == pytest.approx(0.3)
    assert own.loc[("", "absolute"), "estimate"] == pytest.approx(0.2)
    before = [0.2 + 0.05 * f + 0.01 * seed for f in range(3) for seed in (0, 1)]
    assert own.loc[("short", "relative"), "estimate"] == pytest.approx(0.1 / np.mean(before))
    odds = [np.log((100 * s + 0.5) / (100 * (1 - s) + 0.5)) for s in before]
    more = [np.log((100 * (s + 0.1) + 0.5) / (100 * (0.9 - s) + 0.5)) for s in before]
    wanted = np.mean(np.subtract(more, odds))
    assert own.loc[("short", "log_odds"), "estimate"] == pytest.approx(wanted)
    assert set(own["n_families"]) == {3}
    low, high = own.loc[("short", "log_odds"), ["low", "high"]]
    assert low < wanted < high


def test_figures_of_recipes_draw_their_data() -> None:
    tuned, frame = tuned_and_scores()
    found = recipe_gains(frame, tuned, [Comparison(axis="loss", baseline="output")])
    data = gains_data(found)
    assert len(data) == 9
    drawn = gains(found)
    assert len(drawn.axes) == 3
    curves = pd.concat(
        [pd.DataFrame({"pair": pair, "step": range(1, 31), "loss": np.linspace(3, 1, 30)})
         for pair in tuned["pair"]]
    )  # fmt: skip
    smooth = losses_data(curves, tuned)
    assert len(smooth) == len(curves)
    assert smooth["loss"].max() == 3
    assert len(losses(curves, tuned).axes[0].lines) == len(tuned) + 2
