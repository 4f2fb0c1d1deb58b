"""Robustness checks, on simulated scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.report import robustness_text
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.families import Families
from analysis.tables.robustness.checks import robustness
from tests.analysis.samples import (
    CONTRASTS,
    X,
    Y,
    scores_frame,
)


def simulated(*, shared: float, size: float = 0.1, control: float = 1.0) -> pd.DataFrame:
    """24 pairs of 6 families and 3 tasks.

    `shared` is the weight of what base and tuned model share beyond their size, `control` how much
    of it shows without demonstrations.
    """
    rng = np.random.default_rng(5)
    rows = []
    for i in range(24):
        params = 2.0 ** (i % 4)
        ability = rng.normal()
        for task in "abc":
            for arm, weight in ((X, 1.0), ("base-0shot", control), (Y, 1.0)):
                level = 0.5 + size * np.log(params) + shared * weight * ability
                score = level + rng.normal() * 0.03
                pair = {"pair": f"p{i}", "family": f"f{i // 4}", "params_b": params}
                rows.append({**pair, "arm": arm, "task": task, "score": score})
    return scores_frame(rows)


def checked(scores: pd.DataFrame, contrast: str = "in-context") -> pd.DataFrame:
    frame = robustness(scores, CONTRASTS)
    return frame[frame["contrast"] == contrast].set_index("check")


def test_a_correlation_due_to_size_vanishes_given_size() -> None:
    frame = checked(simulated(shared=0.0))
    assert frame.loc["as measured", "estimate"] > 0.9
    assert frame.loc["given size", "low"] < 0 < frame.loc["given size", "high"]
    # Sizes differ within families, and there is a like stranger for every base.
    assert frame.loc["within families", "estimate"] > 0.9
    assert frame.loc["other families", "estimate"] > 0.9


def test_a_correlation_within_pairs_remains() -> None:
    frame = checked(simulated(shared=0.1, size=0.0))
    for check in ("given size", "within families", "winsorised"):
        assert frame.loc[check, "low"] > 0.5, check
    assert abs(frame.loc["other families", "estimate"]) < 0.5


def test_families_sizes_and_tasks_are_left_out_in_turn() -> None:
    scores = simulated(shared=0.05)
    frame = checked(scores)
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="overall")
    rest = points[points["family"] != "f2"]
    correlation = correlate(rest["x"], rest["y"], Families.of(list(rest["family"])))
    assert frame.loc["without family: f2", "estimate"] == pytest.approx(correlation.estimate)
    assert frame.loc["without family: f2", "n_families"] == 5
    assert frame.loc["without sizes: the largest", "n_pairs"] == 18
    tasks = sorted(scores["task"].unique())
    others = contrast_points(scores[scores["task"] != tasks[0]], x_arm=X, y_arm=Y, level="overall")
    correlation = correlate(others["x"], others["y"], Families.of(list(others["family"])))
    without = frame.loc[f"without task: {tasks[0]}"]
    expected = correlation.estimate, correlation.interval.low
    assert (without["estimate"], without["low"]) == pytest.approx(expected)
    assert frame.index.str.startswith("without task").sum() == len(tasks)
    text = robustness_text(robustness(scores, CONTRASTS))
    assert "in-context, all tasks, robustness checks" in text
    assert "leave one out" in text


def test_the_note_says_that_sizes_are_unknown() -> None:
    scores = simulated(shared=0.1)
    scores.loc[scores["pair"] == "p3", "params_b"] = np.nan
    row = checked(scores).loc["given size"]
    assert np.isnan(row["estimate"])
    assert "unknown" in row["note"]
