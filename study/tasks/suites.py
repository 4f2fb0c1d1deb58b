"""Suites: lists of lm-eval tasks with their types, metrics and chance levels.

In: a `Study` and its folder. Out: its tasks, a tuple of `ListedTask`. The suites that come with the
package are the YAML files of `data/suites`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from study.config.entries import ListedTask
from study.config.study import Study, study_file
from study.data import SUITES
from study.errors import StudyError, listed, nearest
from study.validation import Strict, validated


class Suite(Strict):
    """A named list of tasks."""

    description: str
    "What the suite is for."
    tasks: list[ListedTask] = Field(min_length=1)
    "Its tasks."


def suite_names() -> list[str]:
    """The suites that come with the package."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def read_suite(name: str, run: Path, key: str = "tasks.suite") -> tuple[Path, Suite]:
    """A suite by its name, or by its file relative to the run; with the file it came from. `key` is
    where the study file names it."""
    file = SUITES / f"{name}.yaml" if name in suite_names() else run / name
    if not file.is_file():
        raise StudyError(
            study_file(run),
            key,
            found=repr(name),
            expected=f"a YAML file, or one of {listed(suite_names())}",
            do=nearest(name, suite_names()),
        )
    return file, validated(Suite, file)


def known_tasks() -> dict[str, ListedTask]:
    """Every task of the package's suites, by name."""
    suites = (validated(Suite, SUITES / f"{name}.yaml") for name in suite_names())
    return {task.task: task for suite in suites for task in suite.tasks}


def study_tasks(study: Study, run: Path) -> tuple[ListedTask, ...]:
    """The study's tasks in their order, each once."""
    path = study_file(run)
    if isinstance(study.tasks, list):
        tasks = list(study.tasks)
    else:
        path_of_suite, suite = read_suite(study.tasks.suite, run)
        tasks = list(suite.tasks)
        for key, attribute in (("only", "task"), ("task_type", "task_type")):
            tasks = picked(tasks, attribute, getattr(study.tasks, key), path, f"tasks.{key}")
        path = path_of_suite
    names = [task.task for task in tasks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(path, "tasks", found=f"{listed(twice)} more than once",
                         expected="each task once")  # fmt: skip
    if not tasks:
        raise StudyError(path, "tasks", found="no task", expected="at least one task")
    return tuple(tasks)


def picked(
    tasks: list[ListedTask], attribute: str, wanted: list[str] | None, path: Path, key: str
) -> list[ListedTask]:
    """The tasks whose attribute is among those wanted; StudyError for one that none has."""
    if wanted is None:
        return tasks
    there = list(dict.fromkeys(getattr(task, attribute) for task in tasks))
    for name in wanted:
        if name not in there:
            raise StudyError(path, key, found=repr(name), expected=f"one of {listed(there)}",
                             do=nearest(name, there))  # fmt: skip
    return [task for task in tasks if getattr(task, attribute) in wanted]
