"""Correlations by number of demonstrations."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.figures.shots import shots, shots_data
from analysis.tables.correlations import headline
from study.config.analysis import Contrast
from tests.analysis.samples import (
    CONTRASTS,
)


def test_shots(scores: pd.DataFrame, correlation_table: pd.DataFrame) -> None:
    data = shots_data(scores, CONTRASTS[0])
    assert list(data["label"].unique()) == ["all tasks", "facts", "strings"]
    assert list(data["shots"]) == [0, 5] * 3
    table = headline(correlation_table)

    for _, row in data.iterrows():
        kind = "" if row["label"] == "all tasks" else row["label"]
        same = table[(table["x_arm"] == row["arm"]) & (table["task_type"] == kind)]
        same = same[same["level"] != "task"].iloc[0]
        assert (row["estimate"], row["low"]) == (same["estimate"], same["low"])
    assert len(shots(scores, CONTRASTS[0]).axes) == 1


@pytest.mark.parametrize(
    ("x_arm", "on_its_curve"),
    [
        ("base-5shot", ["base-0shot", "base-2shot", "base-5shot"]),
        ("base-5shot-fields", ["base-0shot-fields", "base-5shot-fields"]),
        ("base-5shot+steered", ["base-5shot+steered"]),
        ("tuned-5shot-chat", ["tuned-0shot-chat", "tuned-5shot-chat"]),
        ("tuned-5shot-chat-oneturn", ["tuned-0shot-chat", "tuned-5shot-chat-oneturn"]),
        ("tuned-5shot-chat-thinking", ["tuned-0shot-chat-thinking", "tuned-5shot-chat-thinking"]),
        ("tuned-5shot", ["tuned-0shot", "tuned-5shot"]),
    ],
)
def test_arms_that_differ_in_more_than_shots_are_on_other_curves(
    scores: pd.DataFrame, x_arm: str, on_its_curve: list[str]
) -> None:
    arms = [
        "base-0shot", "base-2shot", "base-5shot", "base-0shot-fields", "base-5shot-fields",
        "base-5shot+steered", "tuned-0shot", "tuned-5shot", "tuned-0shot-chat",
        "tuned-5shot-chat", "tuned-5shot-chat-oneturn", "tuned-0shot-chat-thinking",
        "tuned-5shot-chat-thinking", "tuned",
    ]  # fmt: skip
    one_arm = scores[scores["arm"] == "base-0shot"]
    every = pd.concat([one_arm.assign(arm=arm, role=arm.split("-")[0]) for arm in arms])
    data = shots_data(every, Contrast(name="c", x=x_arm, y="tuned"))
    assert sorted(set(data["arm"])) == on_its_curve
