"""The base class of executors: what is the same wherever jobs run.

In: a planned study. Out: events. The base class decides which jobs remain, in which order they
start, and that no cell is tried twice by one command; a subclass submits jobs, says what is waiting
or running, cancels, and checks what it needs. How often a job is retried when its worker dies is
decided by the worker pool, which runs the jobs on every machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from study.hardware import check_device_names
from study.planning.cost.estimate import Estimate, RemainingJob, estimate
from study.planning.cost.throughput import Speed
from study.planning.plan import Job
from study.planning.plan_study import PlannedStudy
from study.results.run import Run
from study.running.events import Event

STALL_SECONDS = 3600.0
"Default time after which a silent worker is killed."


@dataclass(frozen=True)
class ActiveJob:
    """A model's job that waits or runs."""

    state: Literal["waits", "runs"]
    where: str
    "Number of the job in a queue, or machine and process."
    reason: str = ""
    "Why it waits, or since when it runs."


@dataclass(frozen=True)
class Finding:
    """Outcome of one check of a study before it is run."""

    check: str
    "What was checked."
    problem: str = ""
    "What is wrong and what to do; empty if nothing."


class Executor(ABC):
    """Runs the jobs of a run."""

    name: ClassVar[str]
    "The name for the option `--on`, and the key of its resources in study.yaml if it has any."
    queues: ClassVar[bool] = False
    "Whether submitted jobs outlive the command that submits them."

    def __init__(
        self,
        run: Run,
        devices: Sequence[str] | None = None,
        *,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """`devices`: those that jobs use; None: all that they are given. `stall_seconds`: kill
        and retry a worker that has been silent for so long. StudyError if a device is none."""
        check_device_names(devices or ())
        self.run, self.devices, self.stall_seconds = run, devices, stall_seconds

    def execute(self, planned: PlannedStudy) -> Iterator[Event]:
        """Run or submit everything that remains.

        Cells that need the results of others are run once these are done; an executor with a queue
        leaves them to a later command.
        """
        attempted: set[str | None] = set()
        while True:
            # In this order, a job that ends between the two is either still active or done.
            active = self.state() if self.queues else {}
            planned = planned.refreshed()
            jobs = planned.remaining(without=attempted)
            if queued := sum(job.model.name in active for job in jobs):
                yield Event.note(f"{queued} models are already in the queue")
            jobs = [job for job in jobs if job.model.name not in active]
            if jobs:
                yield from self.submit(self._longest_first(planned, jobs), planned)
            if self.queues:
                yield from _notes(planned, jobs)
            if self.queues or not jobs:
                return
            attempted |= {cell.key for job in jobs for cell in job.cells}

    def _longest_first(self, planned: PlannedStudy, jobs: Sequence[Job]) -> list[Job]:
        by_model = {job.model: job for job in jobs}
        remaining = estimate(planned.resolved, planned.plan, planned.evaluated())
        ordered = remaining.longest_first(self.speed())
        return [by_model[job.model] for job in ordered if job.model in by_model]

    def prepare(self, planned: PlannedStudy) -> None:  # noqa: B027, most executors need nothing
        """Raise StudyError if nothing could be submitted."""

    @abstractmethod
    def submit(self, jobs: Sequence[Job], planned: PlannedStudy) -> Iterator[Event]:
        """Start jobs in this order; yields their events until they end or are in the queue."""

    @abstractmethod
    def speed(self) -> Speed:
        """Expected speed of the devices, by which jobs are ordered."""

    @abstractmethod
    def state(self) -> dict[str, ActiveJob]:
        """The jobs that wait or run, by model."""

    @abstractmethod
    def cancel(self) -> Iterator[str]:
        """Cancel everything that can be cancelled from here; yields what was done."""

    @abstractmethod
    def check(self, planned: PlannedStudy, remaining: Estimate) -> Iterator[Finding]:
        """Check that what remains can run here, without running it."""

    def logs(self, model: str) -> list[Path]:
        """Logs of a model's jobs besides that of its worker."""
        return []


def with_work(remaining: Estimate) -> list[RemainingJob]:
    """The jobs that have cells to run."""
    return [entry for entry in remaining.jobs if entry.work.cells]


def findings(check: str, problems: Iterator[str]) -> Iterator[Finding]:
    """One finding for each problem, or one that says that there is none."""
    problem = None
    for problem in problems:
        yield Finding(check, problem)
    if problem is None:
        yield Finding(check)


def _notes(planned: PlannedStudy, submitted: Sequence[Job]) -> Iterator[Event]:
    if not submitted:
        yield Event.note("nothing to submit")
    cells = [cell for job in planned.plan.jobs for cell in job.cells if cell.needs]
    if later := sum(cell.needs not in planned.responses for cell in cells):
        yield Event.note(
            f"{later} cells need responses of tuned models; run the same command again when those "
            "are done"
        )
