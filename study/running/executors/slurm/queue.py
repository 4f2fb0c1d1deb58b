"""What Slurm says of a run's jobs, and what it is told.

In: names of submissions. Out: the tasks that stand in its queue; cancelled ones. Slurm's own
commands are asked: what it did with jobs that have left the queue is known only where the cluster
keeps accounts, and is not needed here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from study.errors import StudyError

TIMEOUT_SECONDS = 60
WAITING = ("PENDING", "REQUEUED", "SUSPENDED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD",
           "REQUEUE_FED", "STOPPED")  # fmt: skip
"States in which a job waits; in all others it runs, or is about to end or to be queued again."


@dataclass(frozen=True)
class Queued:
    """A task of an array, or a job that is none, that Slurm has not done with."""

    identifier: str
    submission: str
    "The job's name."
    index: int
    "Which of the submission's jobs."
    state: str
    "In Slurm's words."
    reason: str
    "Why it waits, or where it runs."

    @property
    def waits(self) -> bool:
        """Whether it is not running now."""
        return self.state in WAITING

    @property
    def held(self) -> bool:
        """Whether it failed to start on its node, and waits for somebody to let it go again."""
        return "requeued held" in self.reason


def queued(submissions: Iterable[str]) -> list[Queued]:
    """What is in the queue under these names; StudyError where Slurm does not answer."""
    names = sorted(submissions)
    if not names:
        return []
    said = _ask(["squeue", "--noheader", "--array", f"--name={','.join(names)}",
                 "--format=%F|%K|%j|%T|%R"])  # fmt: skip
    tasks = []
    for line in said.splitlines():
        number, index, name, state, reason = line.split("|", 4)
        array = index.isdigit()
        identifier = f"{number}_{index}" if array else number
        tasks.append(Queued(identifier, name, int(index) if array else 0, state, reason))
    return tasks


def cancel(tasks: Iterable[Queued]) -> None:
    """Takes tasks out of the queue and ends those that run."""
    if identifiers := [task.identifier for task in tasks]:
        _ask(["scancel", *identifiers])


def release(tasks: Iterable[Queued]) -> None:
    """Lets held tasks go again."""
    if identifiers := [task.identifier for task in tasks]:
        _ask(["scontrol", "release", *identifiers])


def _ask(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except FileNotFoundError:
        raise StudyError(command[0], found="no such command", expected="Slurm's commands",
                         do="Do this on a machine of the cluster") from None  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StudyError(command[0], found=f"no answer in {TIMEOUT_SECONDS} s",
                         expected="an answer", do="Try again later") from None  # fmt: skip
    if done.returncode:
        raise StudyError(command[0], found=" ".join(done.stderr.split()) or "a failure",
                         expected="Slurm to answer", do="Try again later") from None  # fmt: skip
    return done.stdout
