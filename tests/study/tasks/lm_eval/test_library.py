"""Tasks of a library: their rules as task files state them, and their data.

What needs the index of all lm-eval tasks is tested in test_lm_eval_index.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.config.study import read_study
from study.errors import StudyError
from study.tasks.lm_eval.library import TaskEntry, TaskLibrary, is_staged, task_library
from tests.conftest import MakeRun

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


def test_local_tasks_are_those_of_the_zoo_and_of_the_folders(
    library: TaskLibrary, small_library: TaskLibrary
) -> None:
    local = set(small_library.local_tasks())
    assert {"leaky", "shared", "zoo_colour_mc"} <= local
    assert local - {"leaky", "shared"} == set(library.local_tasks())
    assert small_library.load("leaky").config.doc_to_target == "label"


def test_folders_are_relative_to_the_study_file(make_run: MakeRun) -> None:
    study = read_study(make_run(task_folders=["../tasks"]))
    with pytest.raises(
        StudyError, match=r"task_folders\[0\]: found '\.\./tasks', which is no folder"
    ):
        task_library(study)
    (study.folder.parent / "tasks").mkdir()
    assert task_library(study).local_tasks()


def test_prompt_templates_are_compiled_once(library: TaskLibrary) -> None:
    from lm_eval import utils

    library.local_tasks()
    template = utils.env.from_string("{{asked}}")
    assert utils.env.from_string("{{asked}}") is template


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
