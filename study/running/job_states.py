"""The state of each model's job, in a small file of its own written by the process that runs it.

In: events. Out: the same events, and `results/jobs/<model>.json`, which `study status` reads. What
is finished is decided by the cells alone; these files say which process ran a job, and why it
failed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from study.errors import MAX_MESSAGE, StudyError, printable
from study.processes import ProcessIdentity
from study.results.files import (
    NoFileError,
    earlier_file_name,
    file_name,
    names_in,
    read_regular,
    write_whole,
)
from study.running.events import Event
from study.validation import Strict

Phase = Literal["running", "done", "failed"]
MAX_PROCESS_NUMBER = 2**22
"The kernel's limit."
MAX_SECONDS = 1e11
"A time that every calendar function accepts."

MAX_TEXT = 5000
"Characters of a name or path."


def _one_line(text: str) -> str:
    if text != printable(text):
        raise ValueError("text that prints")
    return text


_Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_one_line)]


class _Recorded(Strict):
    """A part of a job's state. Nothing is converted: `true` and `"7"` are no numbers."""

    model_config = ConfigDict(strict=True)


class RunnerProcess(_Recorded):
    """The process that runs a job."""

    host: _Text
    pid: int = Field(ge=1, le=MAX_PROCESS_NUMBER)
    born: int = Field(ge=0, lt=2**63)
    "Start time in ticks since boot: process numbers are reused."
    boot: str = Field(default="", pattern="^([0-9a-f]{32})?$")
    "The kernel's boot id; earlier versions did not record it."
    namespace: int = Field(default=0, ge=0, lt=2**63)
    "The namespace of process numbers."
    queue_job: _Text = ""
    "Queue and number of the job that it belongs to, such as `slurm 17_3`, if it was queued."

    @classmethod
    def current(cls, queue_job: str = "") -> RunnerProcess:
        """The calling process."""
        me = ProcessIdentity.current()
        return cls(
            host=me.host,
            pid=me.pid,
            born=me.born,
            boot=me.boot,
            namespace=me.namespace,
            queue_job=queue_job,
        )

    @property
    def where(self) -> str:
        """The job in its queue, or the machine and process."""
        return self.queue_job or f"{self.host}, process {self.pid}"

    @property
    def process(self) -> ProcessIdentity:
        """The process, to see whether it lives, or to end it."""
        return ProcessIdentity(self.host, self.boot, self.namespace, self.pid, self.born)


class JobState(_Recorded):
    """The last recorded state of a model's job."""

    multiline = frozenset({"failures"})  # which are no parts of a path
    model: _Text = Field(min_length=1)
    state: Phase
    runner: RunnerProcess
    at: float = Field(ge=0, le=MAX_SECONDS)
    "Seconds since 1970."
    failures: tuple[Annotated[str, AfterValidator(printable)], ...]
    "What failed, with the reasons."


def jobs_folder(results: Path) -> Path:
    """The folder of the states, which every process that runs jobs of the run keeps open."""
    return results / "jobs"


@contextmanager
def keep_open(results: Path) -> Iterator[None]:
    """Keep the folder of the states open: by this, not by what a file says, `study cancel`
    recognises a process of the run."""
    with ExitStack() as stack:
        with suppress(OSError):  # where nothing can be written, no cell can either
            jobs_folder(results).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(jobs_folder(results), os.O_RDONLY)
            stack.callback(os.close, descriptor)
        yield


def recorded(
    events: Iterable[Event], results: Path, queue_job: str = ""
) -> Generator[Event, None, None]:
    """Pass events on, and record the beginning and the end of each job."""
    with keep_open(results):
        yield from _recorded(events, results, queue_job)


def _recorded(events: Iterable[Event], results: Path, queue_job: str) -> Iterator[Event]:
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
    folder = jobs_folder(results)
    paths = [folder / name for name in names_in(folder) if _is_state(name)]
    # A model may have a file of an earlier version too, under another name.
    return {state.model: state for state in sorted(map(_read, paths), key=lambda state: state.at)}


def _is_state(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _read(path: Path) -> JobState:
    try:
        state = JobState.model_validate_json(read_regular(path))
    except NoFileError as error:
        raise _no_state(path, str(error)) from None
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise _no_state(path, f"no state of a job ({key or 'JSON'}: {fault['msg']})") from None
    if path.name not in (_file(state.model), f"{earlier_file_name(state.model)}.json"):
        raise _no_state(path, f"the state of a job of {state.model}")
    return state


def _no_state(path: Path, found: str) -> StudyError:
    return StudyError(
        path,
        found=found,
        expected="what `study run` wrote",
        do="Delete it: the cells decide what is done",
    )


def _file(model: str) -> str:
    return f"{file_name(model)}.json"


def record(
    results: Path,
    model: str,
    phase: Phase,
    failures: tuple[str, ...] = (),
    queue_job: str = "",
) -> None:
    """Record the state of a model's job that the calling process runs."""
    # On a full disk cells cannot be written either, and that error ends the job with its reason.
    with suppress(StudyError, ValidationError):
        state = JobState(
            model=model,
            state=phase,
            runner=RunnerProcess.current(queue_job),
            at=time.time(),
            failures=tuple(printable(failure, MAX_MESSAGE) for failure in failures),
        )
        content = state.model_dump_json(indent=1) + "\n"
        write_whole(jobs_folder(results) / _file(model), content.encode())
