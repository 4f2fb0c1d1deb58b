"""Slurm's queue: what it holds of a run, and changes to it.

In: names of submissions. Out: the tasks in the queue. Only Slurm's own commands are used: what
became of jobs that have left the queue is known only where the cluster keeps accounts, and is not
needed here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from study.errors import StudyError

TIMEOUT_SECONDS = 60
WAITING_STATES = frozenset(
    {
        "PENDING",
        "REQUEUED",
        "SUSPENDED",
        "REQUEUE_HOLD",
        "SPECIAL_EXIT",
        "RESV_DEL_HOLD",
        "REQUEUE_FED",
        "STOPPED",
    }
)
"States in which a task waits; in all others it runs, or is about to end or to be requeued."


@dataclass(frozen=True)
class QueuedTask:
    """A task of an array, or a job without an array, in Slurm's queue."""

    identifier: str
    submission: str
    "The job's name."
    index: int
    "Index of the task in the submission."
    state: str
    "As Slurm names it."
    reason: str
    "Why it waits, or where it runs."

    @property
    def waits(self) -> bool:
        """Whether it is not running now."""
        return self.state in WAITING_STATES

    @property
    def held(self) -> bool:
        """Whether it failed to start on its node and stays in the queue until it is released."""
        return "requeued held" in self.reason


def queued(submissions: Iterable[str]) -> list[QueuedTask]:
    """The tasks in the queue under these names; StudyError if Slurm does not answer."""
    names = ",".join(sorted(submissions))
    if not names:
        return []
    fields = "--format=%F|%K|%j|%T|%R"
    tasks = []
    for line in _call(["squeue", "--noheader", "--array", f"--name={names}", fields]).splitlines():
        number, index, name, state, reason = line.split("|", 4)
        array = index.isdigit()
        identifier = f"{number}_{index}" if array else number
        tasks.append(QueuedTask(identifier, name, int(index) if array else 0, state, reason))
    return tasks


def cancel(tasks: Iterable[QueuedTask]) -> None:
    """Remove tasks from the queue and end those that run."""
    if identifiers := [task.identifier for task in tasks]:
        _call(["scancel", *identifiers])


def release(tasks: Iterable[QueuedTask]) -> None:
    """Release held tasks."""
    if identifiers := [task.identifier for task in tasks]:
        _call(["scontrol", "release", *identifiers])


def requeue(identifier: str) -> None:
    """End a running job and put it back into the queue."""
    _call(["scontrol", "requeue", identifier])


def _call(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except FileNotFoundError:
        raise StudyError(
            command[0],
            found="no such command",
            expected="Slurm's commands",
            do="Run this on a machine of the cluster",
        ) from None
    except subprocess.TimeoutExpired:
        raise StudyError(
            command[0],
            found=f"no answer within {TIMEOUT_SECONDS} s",
            expected="an answer from Slurm",
            do="Try again later",
        ) from None
    if result.returncode:
        raise StudyError(
            command[0],
            found=" ".join(result.stderr.split()) or f"exit code {result.returncode}",
            expected="an answer from Slurm",
            do="Try again later",
        )
    return result.stdout
