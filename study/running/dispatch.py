"""From a planned study to an executor: what remains is run, or submitted.

In: a `PlannedStudy` and an executor. Out: events, beginning with one failure for each model or task
that is not available.
"""

from __future__ import annotations

from collections.abc import Iterator

from study.planning.ledger_rows import write_ledger
from study.planning.plan import Job
from study.planning.plan_study import PlannedStudy
from study.running.events import Event
from study.running.executors.base import Executor


def dispatch(planned: PlannedStudy, executor: Executor) -> Iterator[Event]:
    """Write the ledger and run what remains; yields events.

    StudyError, before anything is written, if the executor could not run anything.
    """
    executor.prepare(planned)
    write_ledger(planned.resolved, planned.plan)
    return _events(planned, executor)


def _events(planned: PlannedStudy, executor: Executor) -> Iterator[Event]:
    for model, cell, reason in planned.missing():
        yield Event("failed", model, cell, reason)
    yield from executor.execute(planned)


def training_jobs(planned: PlannedStudy) -> list[Job]:
    """Jobs that train the models still to be tuned and evaluate nothing, the largest first.

    StudyError if the study tunes none.
    """
    study, resolved = planned.resolved.study, planned.resolved
    if not study.tuning.recipes:
        raise study.error(
            "tuning.recipes", found="none", expected="recipes of the models to be tuned"
        )
    sizes = {pair.tuned: pair.params_b for pair in resolved.pairs}
    jobs = [
        Job(ref, sizes[ref], (), tuned)
        for ref, tuned in resolved.tuned.items()
        if not tuned.finished
    ]
    return sorted(jobs, key=lambda job: -job.params_b)
