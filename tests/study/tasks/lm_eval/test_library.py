"""Tasks of a library: where they are found, and how they are loaded.

What needs the index of all lm-eval tasks is tested in test_lm_eval_index.
"""

from __future__ import annotations

import pytest

from study.config.study import read_study
from study.errors import StudyError
from study.tasks.lm_eval.library import TaskLibrary, task_library
from tests.conftest import MakeRun


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
