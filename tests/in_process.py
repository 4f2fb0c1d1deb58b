"""Running a study in the process of the tests, without the start of worker processes.

In: a run folder. Out: events. Everything but processes and signals is as in `study run`; what these
do is tested in `tests/study/running`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from study.planning.cost.estimate import Estimate
from study.planning.cost.throughput import ASSUMED, Speed
from study.planning.plan import Job
from study.planning.plan_study import PlannedStudy, plan_study
from study.results.run import Run
from study.running.cells.run_model import ModelRunner
from study.running.dispatch import dispatch
from study.running.events import Event
from study.running.executors import ActiveJob, Executor, Finding


class InProcessExecutor(Executor):
    """Runs one job after the other on the CPU, in the calling process."""

    name: ClassVar[str] = "in-process"

    def submit(self, jobs: Sequence[Job], planned: PlannedStudy) -> Iterator[Event]:
        runner = ModelRunner(self.run, "cpu")
        for job in jobs:
            yield from runner.run_job(job)

    def speed(self) -> Speed:
        return ASSUMED["cpu"]

    def state(self) -> dict[str, ActiveJob]:
        return {}

    def cancel(self) -> Iterator[str]:
        yield from ()

    def check(self, planned: PlannedStudy, remaining: Estimate) -> Iterator[Finding]:
        yield from ()


def plan(folder: Path) -> PlannedStudy:
    """The plan of a run folder."""
    return plan_study(Run.open(folder))


def evaluate(folder: Path) -> list[Event]:
    """Run what remains of a study; returns the events."""
    planned = plan(folder)
    return list(dispatch(planned, InProcessExecutor(planned.resolved.run)))


def evaluate_all(folder: Path) -> Run:
    """Run what remains of a study, in which nothing may fail; returns the finished run."""
    failures = [event.failure() for event in evaluate(folder) if event.kind == "failed"]
    assert not failures, failures
    return Run.open(folder)
