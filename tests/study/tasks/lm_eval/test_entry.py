"""Tasks as their files describe them: their rules, and whether their data are here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.tasks.lm_eval.entry import TaskEntry, is_staged

# Rules: (demonstrates itself, shares the split, fixes zero shots).
RULES: list[tuple[dict[str, Any], tuple[bool, bool, bool]]] = [
    ({"test_split": "test", "training_split": "train"}, (False, False, False)),
    ({"test_split": "test"}, (True, True, False)),
    ({"validation_split": "val"}, (True, True, False)),
    ({"test_split": "test", "fewshot_split": "test"}, (False, True, False)),
    ({"validation_split": "val", "fewshot_split": "val"}, (True, True, False)),
    ({"test_split": "test", "fewshot_config": {"split": "test"}}, (False, True, False)),
    ({"test_split": "test", "fewshot_config": {"samples": [{}]}}, (False, False, False)),
    ({"test_split": "test", "output_type": "loglikelihood_rolling"}, (False, True, False)),
    ({"test_split": "test", "num_fewshot": 0}, (True, True, True)),
    ({"test_split": "test", "num_fewshot": 3}, (True, True, False)),
]


@pytest.mark.parametrize(("config", "rules"), RULES)
def test_rules_of_task_files(config: dict[str, Any], rules: tuple[bool, bool, bool]) -> None:
    entry = TaskEntry("t", config)
    assert (entry.demonstrates_itself, entry.shares_split, entry.fixes_zero_shots) == rules


def test_metrics_of_task_files() -> None:
    metrics = [{"metric": "acc"}, {"metric": "acc_norm"}, "other"]
    assert TaskEntry("t", {"metric_list": metrics}).metrics == ["acc", "acc_norm"]
    assert TaskEntry("t", {}).metrics == []


@pytest.mark.parametrize(
    ("config", "staged"),
    [
        ({"custom_dataset": "function"}, True),
        ({"dataset_path": "json"}, True),
        ({"dataset_path": "nobody/nothing"}, False),
        ({}, False),
    ],
)
def test_data_that_can_be_read_without_a_network(config: dict[str, Any], staged: bool) -> None:
    assert is_staged(TaskEntry("t", config)) == staged


def test_a_folder_of_data_is_on_this_machine(tmp_path: Path) -> None:
    assert is_staged(TaskEntry("t", {"dataset_path": str(tmp_path)}))
