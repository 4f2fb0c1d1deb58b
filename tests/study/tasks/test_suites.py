"""Suites of tasks: selections, suites in files, names that do not resolve."""

from __future__ import annotations

from typing import Any

import pytest

from study.config.study import read_study
from study.config.tasks import ListedTask
from study.errors import StudyError
from study.tasks.suites import known_tasks, read_suite, study_tasks, suite_names
from tests.conftest import MakeRun

LISTED: dict[str, Any] = {
    "task": "zoo_colour_mc",
    "task_type": "a",
    "metric": "acc",
    "chance": 0.25,
}
UNRESOLVED: dict[str, tuple[Any, list[str]]] = {
    "unknown suite": ({"suite": "zoo_mcc"}, ["tasks.suite", "Did you mean 'zoo_mc'?"]),
    "unknown task of a suite": (
        {"suite": "zoo_mc", "only": ["zoo_color_mc"]},
        ["tasks.only", "Did you mean 'zoo_colour_mc'?"],
    ),
    "unknown type of a suite": (
        {"suite": "zoo_mc", "task_type": ["string"]},
        ["tasks.task_type", "Did you mean 'strings'?"],
    ),
    "task twice": ([LISTED] * 2, ["'zoo_colour_mc' more than once"]),
    "nothing selected": (
        {"suite": "zoo_mc", "only": ["zoo_colour_mc"], "task_type": []},
        ["tasks: found no task; expected at least one task"],
    ),
}


@pytest.mark.parametrize("kind", UNRESOLVED)
def test_tasks_that_do_not_resolve(kind: str, make_run: MakeRun) -> None:
    tasks, parts = UNRESOLVED[kind]
    study = read_study(make_run(tasks=tasks))
    with pytest.raises(StudyError) as error:
        study_tasks(study)
    for part in parts:
        assert part in str(error.value)


def test_a_suite_is_selected_by_task_and_type(make_run: MakeRun) -> None:
    def names(name: str, **selection: Any) -> list[str]:
        study = read_study(make_run(name, tasks={"suite": "zoo_mc", **selection}))
        return [task.task for task in study_tasks(study)]

    everything = names("all")
    assert names("only", only=["zoo_reverse_mc", "zoo_colour_mc"]) == [
        name for name in everything if name in ("zoo_reverse_mc", "zoo_colour_mc")
    ]
    strings = names("type", task_type=["strings"])
    known = known_tasks()
    assert strings == [name for name in everything if known[name].task_type == "strings"]


def test_listed_tasks_are_as_listed(make_run: MakeRun) -> None:
    assert study_tasks(read_study(make_run(tasks=[LISTED]))) == (ListedTask(**LISTED),)


def test_a_suite_in_a_file_beside_the_study(make_run: MakeRun) -> None:
    study = read_study(make_run(tasks={"suite": "mine.yaml"}))
    file = study.folder / "mine.yaml"
    file.write_text(
        "description: mine\n"
        "tasks: [{task: zoo_colour_mc, task_type: a, metric: acc, chance: 0.25}]\n"
    )
    assert read_suite("mine.yaml", study)[0] == file
    assert study_tasks(study) == (ListedTask(**LISTED),)
    file.write_text("description: mine\ntasks: []\n")
    with pytest.raises(StudyError, match=r"mine\.yaml: tasks: found \[\]"):
        study_tasks(study)


def test_suites_of_the_package(make_run: MakeRun) -> None:
    assert suite_names() == ["paper", "zoo_gen", "zoo_mc"]
    study = read_study(make_run())
    for name in suite_names():
        _, suite = read_suite(name, study)
        assert {task.task for task in suite.tasks} <= known_tasks().keys()
        assert suite.description
