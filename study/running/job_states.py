"""How each model's job stands, told in a small file of its own by whoever runs it.

In: events. Out: the same events, and `results/jobs/<model>.json`, which `study status` reads. What
is finished is told by the cells alone; these files say who was at it, and why it failed.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from study.errors import StudyError
from study.results.cell_store.store import results_folder
from study.results.files import file_name, write_whole
from study.running.events import Event

State = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Runner:
    """The process that runs a job."""

    host: str
    pid: int
    born: int
    "When it was started, ticks since the machine's start: process numbers are used again."
    slurm: str = ""
    "Number of the Slurm job it runs in, with the array's index."

    @classmethod
    def this_process(cls) -> Runner:
        """The calling process."""
        array, index = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
        slurm = f"{array}_{index}" if array else os.environ.get("SLURM_JOB_ID", "")
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _born(pid) or 0, slurm)

    def alive(self) -> bool | None:
        """Whether it still runs; None if that cannot be seen from this machine."""
        if self.host != socket.gethostname():
            return None
        return _born(self.pid) == self.born


@dataclass(frozen=True)
class JobState:
    """What was last told of a model's job."""

    model: str
    state: State
    runner: Runner
    at: float
    "Seconds since 1970."
    failures: tuple[str, ...] = ()
    "What failed, with the reasons."


def recorded(events: Iterable[Event], run: Path) -> Generator[Event, None, None]:
    """Passes events on, and writes down each job's begin and end."""
    failures: dict[str, list[str]] = {}
    for event in events:
        told = failures.setdefault(event.model, [])
        if event.kind == "failed":
            told.append(f"{event.cell}: {event.reason}" if event.cell else event.reason)
        over = event.kind == "finished" or (event.kind == "failed" and not event.cell)
        if over or event.kind == "loading":
            state: State = "running"
            if over:
                state = "failed" if told else "done"
            record(run, event.model, state, tuple(told))
        if over:
            del failures[event.model]
        yield event


def job_states(run: Path) -> dict[str, JobState]:
    """By model, what was last told; StudyError if a file is damaged."""
    found = {}
    for path in sorted((results_folder(run) / "jobs").glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            state = JobState(
                content["model"], content["state"], Runner(**content["runner"]), content["at"],
                tuple(content["failures"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise StudyError(path, found="no state of a job", expected="what `study run` wrote",
                             do="Remove it: cells tell what is done") from None  # fmt: skip
        found[state.model] = state
    return found


def record(run: Path, model: str, state: State, failures: tuple[str, ...] = ()) -> None:
    """Writes down how a model's job stands, run by the calling process."""
    told = JobState(model, state, Runner.this_process(), time.time(), failures)
    path = results_folder(run) / "jobs" / f"{file_name(model)}.json"
    # On a full disk cells cannot be written either, which ends the job with its reason told.
    with suppress(StudyError):
        write_whole(path, (json.dumps(asdict(told), indent=1) + "\n").encode())


def _born(pid: int) -> int | None:
    """When a process was started; None if there is none of that number."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] == "Z" else int(after_name[19])
