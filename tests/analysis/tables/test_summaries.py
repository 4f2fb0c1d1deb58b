"""Means over tasks and differences between types, on simulated scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import groups
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.families import Families
from analysis.statistics.resampling.bca import (
    correlations_of_counts,
    leave_one_family_out,
)
from analysis.statistics.resampling.jackknife import Jackknife
from analysis.tables.summaries import equal_means, summaries, task_jackknife
from study.results.schema import SCORES
from tests.analysis.samples import (
    IN_CONTEXT,
    X,
    Y,
)


def simulated(ties: dict[str, float]) -> pd.DataFrame:
    """30 pairs of 10 families; four tasks of each type, tied to each other as `ties` says."""
    rng = np.random.default_rng(2)
    rows = []
    for i in range(30):
        for task_type, tie in ties.items():
            shared = rng.normal()
            for task in range(4):
                x = shared + 0.3 * rng.normal()
                y = tie * shared + np.sqrt(1 - tie**2) * rng.normal() + 0.3 * rng.normal()
                for arm, value in ((X, x), (Y, y)):
                    rows.append(
                        {
                            "pair": f"p{i}",
                            "family": f"f{i % 10}",
                            "params_b": 1.0,
                            "model": arm,
                            "role": arm.split("-")[0],
                            "arm": arm,
                            "task": f"{task_type}{task}",
                            "task_type": task_type,
                            "exposure": "",
                            "draw": None,
                            "score": 0.5 + 0.1 * value,
                            "stderr": 0.01,
                            "n_items": 100,
                            "chance": 0.0,
                            "metric": "acc",
                            "source": "simulated",
                        }
                    )
    return pd.DataFrame(rows)[list(SCORES)].astype(SCORES)


def test_types_that_differ_and_means_over_tasks() -> None:
    frame = summaries(simulated({"a": 0.95, "b": 0.0}), [IN_CONTEXT]).set_index("summary")
    apart = frame.loc["a less b"]
    assert apart["low"] > 0
    assert apart["n_tasks"] == 8
    a, b = frame.loc["mean of a"], frame.loc["mean of b"]
    assert b["estimate"] < frame.loc["mean of all tasks", "estimate"] < a["estimate"]
    assert a["low"] < a["estimate"] < a["high"]
    assert a["predicted_low"] <= a["low"]
    assert frame.loc["mean of all tasks", "i2"] > 50


def test_task_jackknife_is_that_of_correlate() -> None:
    scores = simulated({"a": 0.6})
    whole, *_, last = groups(scores, x_arm=X, y_arm=Y)
    jackknife = task_jackknife(whole)
    correlation = correlate(last.x, last.y, last.families)
    interval, p, _ = jackknife.interval(list(whole.tasks).index(last.tasks[0]), fisher=True)
    expected = correlation.interval.low, correlation.interval.high
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert p == pytest.approx(correlation.jackknife_p)


def test_equal_means_has_its_nominal_level() -> None:
    """Three tasks with one true correlation, 12 families of three; 400 repetitions."""
    rng = np.random.default_rng(0)
    families = Families.of([f"f{i % 12:02d}" for i in range(36)])
    of = np.arange(36) % 12
    rejected = 0
    for _ in range(400):
        x = rng.normal(size=(3, 12))[:, of] + rng.normal(size=(3, 36))
        y = 0.6 * x + rng.normal(size=(3, 12))[:, of] + rng.normal(size=(3, 36))
        whole = correlations_of_counts(x, y, families, np.ones((1, 12)))[0]
        without = leave_one_family_out(x, y, families)
        jackknife = Jackknife(np.arctanh(whole), np.arctanh(without), families.names)
        rejected += equal_means(jackknife, [[0], [1], [2]])["p"] < 0.05
    assert 0.02 <= rejected / 400 <= 0.085


def test_exposure_is_a_moderator() -> None:
    scores = simulated({"a": 0.95, "b": 0.0})
    scores["exposure"] = scores["task_type"].map({"a": "seen_task", "b": "unseen_type"})
    frame = summaries(scores, [IN_CONTEXT]).set_index("summary")
    by_type, by_exposure = (
        frame.loc[name] for name in ("a less b", "exposure: seen_task less exposure: unseen_type")
    )
    assert by_exposure["estimate"] == by_type["estimate"]
    assert frame.loc["exposures alike", "p"] == pytest.approx(by_exposure["p"])
    assert frame.loc["types alike", "p"] < 0.01
    assert "F(1, 9)" in frame.loc["types alike", "method"]
    few = scores[scores["family"].isin(["f0", "f1"])]
    assert "too few" in summaries(few, [IN_CONTEXT]).set_index("summary").loc["types alike", "note"]


def test_the_note_counts_tasks_that_are_not_estimable() -> None:
    scores = simulated({"a": 0.5})
    scores.loc[scores["task"].isin(["a0", "a1"]), "score"] = 0.5
    row = summaries(scores, [IN_CONTEXT]).set_index("summary").loc["mean of a"]
    assert np.isnan(row["estimate"])
    assert row["note"] == "not estimable: 2 tasks, 3 are needed; 2 tasks are not estimable"
