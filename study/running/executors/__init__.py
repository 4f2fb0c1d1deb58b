"""Executors: where jobs run, one module or package each.

To add one: write a module with a subclass of `Executor`, and add the class to `EXECUTORS`. The
option `--on` then accepts its name. If its jobs need resources, describe them in
`study/config/executors.py`.
"""

from __future__ import annotations

from study.errors import StudyError, listed, nearest
from study.running.executors.base import ActiveJob, Executor, Finding
from study.running.executors.local import LocalExecutor
from study.running.executors.slurm.executor import SlurmExecutor

__all__ = ["EXECUTORS", "ActiveJob", "Executor", "Finding", "executor_type"]

EXECUTORS: tuple[type[Executor], ...] = (LocalExecutor, SlurmExecutor)


def executor_type(name: str) -> type[Executor]:
    """The executor of that name; StudyError if there is none."""
    for executor in EXECUTORS:
        if executor.name == name:
            return executor
    names = [executor.name for executor in EXECUTORS]
    raise StudyError(
        "--on", found=repr(name), expected=f"one of {listed(names)}", do=nearest(name, names)
    )
