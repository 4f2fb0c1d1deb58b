"""The state of each model's job, in a small file of its own written by the process that runs it.

In: events. Out: the same events, and `results/jobs/<model>.json`, which `study status` reads. What
is finished is decided by the cells alone; these files say which process ran a job, and why it
failed.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from study.errors import StudyError
from study.results.files import file_name, write_whole
from study.running.events import Event

Phase = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class RunnerProcess:
    """The process that runs a job."""

    host: str
    pid: int
    born: int
    "Start time in ticks since boot: process numbers are reused."
    queue_job: str = ""
    "Queue and number of the job that it belongs to, such as `slurm 17_3`, if it was queued."

    @classmethod
    def current(cls, queue_job: str = "") -> RunnerProcess:
        """The calling process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _start_time(pid) or 0, queue_job)

    @property
    def where(self) -> str:
        """The job in its queue, or the machine and process."""
        return self.queue_job or f"{self.host}, process {self.pid}"

    def alive(self) -> bool | None:
        """Whether it is still running; None if that cannot be seen from this machine."""
        if self.host != socket.gethostname():
            return None
        return _start_time(self.pid) == self.born


@dataclass(frozen=True)
class JobState:
    """The last recorded state of a model's job."""

    model: str
    state: Phase
    runner: RunnerProcess
    at: float
    "Seconds since 1970."
    failures: tuple[str, ...] = ()
    "What failed, with the reasons."


def recorded(
    events: Iterable[Event], results: Path, queue_job: str = ""
) -> Generator[Event, None, None]:
    """Pass events on, and record the beginning and the end of each job."""
    failures: dict[str, list[str]] = {}
    for event in events:
        if event.kind == "note":
            yield event
            continue
        reasons = failures.setdefault(event.model, [])
        if event.kind == "failed":
            reasons.append(f"{event.cell}: {event.reason}" if event.cell else event.reason)
        if event.ends_job or event.kind == "loading":
            phase: Phase = "running"
            if event.ends_job:
                phase = "failed" if reasons else "done"
            record(results, event.model, phase, tuple(reasons), queue_job)
        if event.ends_job:
            del failures[event.model]
        yield event


def job_states(results: Path) -> dict[str, JobState]:
    """The last recorded state by model; StudyError if a file is corrupted."""
    states = {}
    for path in sorted((results / "jobs").glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            state = JobState(
                model=content["model"],
                state=content["state"],
                runner=_runner(content["runner"]),
                at=content["at"],
                failures=tuple(content["failures"]),
            )
        except (ValueError, KeyError, TypeError):
            raise StudyError(
                path,
                found="no state of a job",
                expected="what `study run` wrote",
                do="Delete it: the cells decide what is done",
            ) from None
        states[state.model] = state
    return states


def record(
    results: Path,
    model: str,
    phase: Phase,
    failures: tuple[str, ...] = (),
    queue_job: str = "",
) -> None:
    """Record the state of a model's job that the calling process runs."""
    state = JobState(model, phase, RunnerProcess.current(queue_job), time.time(), failures)
    path = results / "jobs" / f"{file_name(model)}.json"
    # On a full disk cells cannot be written either, and that error ends the job with its reason.
    with suppress(StudyError):
        write_whole(path, (json.dumps(asdict(state), indent=1) + "\n").encode())


def _runner(content: Mapping[str, Any]) -> RunnerProcess:
    return RunnerProcess(
        content["host"], content["pid"], content["born"], content.get("queue_job", "")
    )


def _start_time(pid: int) -> int | None:
    """When a process was started, in ticks since boot; None if there is none of that number."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] == "Z" else int(after_name[19])
