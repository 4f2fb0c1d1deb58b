"""The tasks of the zoo and two small ones, read once for each file of tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from study.config.study import read_study
from study.tasks.lm_eval.library import TaskLibrary
from tests.conftest import MakeRun
from tests.study.tasks.small_tasks import write_tasks
from tests.study.tasks.zoo_prompts import ZooPrompts

MakePrompts = Callable[..., ZooPrompts]


@pytest.fixture(scope="module")
def library() -> TaskLibrary:
    return TaskLibrary()


@pytest.fixture(scope="module")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> TaskLibrary:
    """A library with the tasks of `small_tasks`."""
    return TaskLibrary((write_tasks(tmp_path_factory.mktemp("tasks")),))


@pytest.fixture
def make_prompts(library: TaskLibrary, make_run: MakeRun) -> MakePrompts:
    """Makes the prompts of a zoo task in a study with the zoo's layout, changed as requested."""

    def make(task: str = "zoo_reverse_gen", **changes: Any) -> ZooPrompts:
        return ZooPrompts(read_study(make_run(task, **{"layout": "zoo", **changes})), library, task)

    return make
