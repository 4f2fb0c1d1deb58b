"""Suites: lists of lm-eval tasks with their types, metrics and chance levels.

In: a `Study`. Out: its tasks, a tuple of `ListedTask`. The package's own suites are the YAML files
in `study/data/suites`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from study.config.study import Study
from study.config.tasks import ListedTask
from study.data import SUITES
from study.errors import StudyError, listed, nearest
from study.validation import Strict, validated


class Suite(Strict):
    """A named list of tasks."""

    multiline = frozenset({"description"})

    description: str
    "What the suite is for."
    tasks: list[ListedTask] = Field(min_length=1)
    "Its tasks."


def suite_names() -> list[str]:
    """The package's own suites."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def read_suite(name: str, study: Study, key: str = "tasks.suite") -> tuple[Path, Suite]:
    """A suite by its name, or by its file relative to the study; with the file it was read from.

    `key` is the key of the study file that names the suite.
    """
    file = SUITES / f"{name}.yaml" if name in suite_names() else study.folder / name
    if not file.is_file():
        raise study.error(
            key,
            found=repr(name),
            expected=f"a YAML file, or one of {listed(suite_names())}",
            do=nearest(name, suite_names()),
        )
    return file, validated(Suite, file)


def known_tasks() -> dict[str, ListedTask]:
    """All tasks of the package's suites, by name."""
    suites = (validated(Suite, SUITES / f"{name}.yaml") for name in suite_names())
    return {task.task: task for suite in suites for task in suite.tasks}


def study_tasks(study: Study) -> tuple[ListedTask, ...]:
    """The study's tasks in order, each once."""
    if isinstance(study.tasks, list):
        file, tasks = study.file, list(study.tasks)
    else:
        file, suite = read_suite(study.tasks.suite, study)
        tasks = list(suite.tasks)
        for key, attribute in (("only", "task"), ("task_type", "task_type")):
            wanted = getattr(study.tasks, key)
            tasks = select_tasks(tasks, attribute, wanted, study.error, f"tasks.{key}")
    names = [task.task for task in tasks]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(
            file, "tasks", found=f"{listed(repeated)} more than once", expected="each task once"
        )
    if not tasks:
        raise StudyError(file, "tasks", found="no task", expected="at least one task")
    return tuple(tasks)


def select_tasks(
    tasks: list[ListedTask],
    attribute: str,
    wanted: list[str] | None,
    error: Callable[..., StudyError],
    key: str,
) -> list[ListedTask]:
    """The tasks whose attribute is among the wanted values; `error` makes the StudyError for a
    value that no task has."""
    if wanted is None:
        return tasks
    available = list(dict.fromkeys(getattr(task, attribute) for task in tasks))
    for value in wanted:
        if value not in available:
            raise error(
                key,
                found=repr(value),
                expected=f"one of {listed(available)}",
                do=nearest(value, available),
            )
    return [task for task in tasks if getattr(task, attribute) in wanted]
