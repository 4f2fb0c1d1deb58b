"""What is the same for all executors: which jobs are submitted, in which order, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest
from typing_extensions import override

from study.errors import StudyError
from study.planning.cost.estimate import estimate
from study.planning.cost.throughput import ASSUMED
from study.planning.plan import Job
from study.planning.plan_study import PlannedStudy
from study.results.run import Run
from study.running.dispatch import dispatch
from study.running.events import Event
from study.running.executors import EXECUTORS, ActiveJob, Finding, executor_type
from study.running.executors.base import findings, with_work
from tests.conftest import MakeRun
from tests.finished_runs import remove_cell
from tests.in_process import InProcessExecutor, plan
from tests.study.task_files import TUNING


class RecordingExecutor(InProcessExecutor):
    """Runs jobs in the calling process, and records what was submitted."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.submitted: list[list[Job]] = []

    @override
    def submit(self, jobs: Sequence[Job], planned: PlannedStudy) -> Iterator[Event]:
        self.submitted.append(list(jobs))
        yield from super().submit(jobs, planned)


class IdleExecutor(RecordingExecutor):
    """Runs nothing."""

    @override
    def submit(self, jobs: Sequence[Job], planned: PlannedStudy) -> Iterator[Event]:
        self.submitted.append(list(jobs))
        yield from ()


class QueueingExecutor(IdleExecutor):
    """Has a queue in which some models are."""

    queues: ClassVar[bool] = True
    active: ClassVar[dict[str, ActiveJob]] = {}

    @override
    def state(self) -> dict[str, ActiveJob]:
        return self.active


def notes(events: list[Event]) -> list[str]:
    return [event.reason for event in events if event.kind == "note"]


def test_the_longest_job_is_submitted_first(make_run: MakeRun) -> None:
    pairs = [{"source": "zoo", "pair": ["llama-early-xs", "llama-late-m", "neox-late-xs"]}]
    planned = plan(make_run(pairs=pairs))
    executor = IdleExecutor(planned.resolved.run)
    assert list(dispatch(planned, executor)) == []
    (jobs,) = executor.submitted
    remaining = estimate(planned.resolved, planned.plan, planned.done)
    seconds = {each.job.model: each.seconds(ASSUMED["cpu"]) for each in remaining.jobs}
    order = [seconds[job.model] for job in jobs]
    assert order == sorted(order, reverse=True)
    assert len(order) == 6
    assert [job.model for job in jobs] != [job.model for job in planned.plan.jobs]


def test_only_what_remains_is_submitted_and_no_cell_twice_by_one_command(copied: Run) -> None:
    removed = sorted(copied.cells.done())[:2]
    for key in removed:
        remove_cell(copied, key)
    planned = plan(copied.folder)
    executor = IdleExecutor(planned.resolved.run)
    assert list(dispatch(planned, executor)) == []
    (jobs,) = executor.submitted
    assert sorted(str(cell.key) for job in jobs for cell in job.cells) == removed
    recording = RecordingExecutor(planned.resolved.run)
    events = list(dispatch(planned, recording))
    assert [event.items for event in events if event.kind == "cell"] == [12, 12]
    assert len(recording.submitted) == 1
    assert list(dispatch(planned, recording)) == []
    assert len(recording.submitted) == 1, "nothing remains"


def test_cells_that_need_others_are_run_once_these_are_done(make_run: MakeRun) -> None:
    folder = make_run(
        pairs=...,
        layout="zoo",
        tuning=TUNING,
        limit=4,
        draws=1,
        answers={"choose": "similarity", "tokens": 6, "writing_tokens": 60},
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
        arms=["tuned-0shot-chat-writes", "base-0shot-written"],
        contrasts=[{"name": "c", "x": "base-0shot-written", "y": "tuned-0shot-chat-writes"}],
    )
    planned = plan(folder)
    queueing = QueueingExecutor(planned.resolved.run)
    events = list(dispatch(planned, queueing))
    assert {cell.arm.name for job in queueing.submitted[0] for cell in job.cells} == {
        "tuned-0shot-chat-writes"
    }
    (note,) = notes(events)
    assert (
        note == "1 cells need responses of tuned models; run the same command again when "
        "those are done"
    )
    executor = RecordingExecutor(planned.resolved.run)
    events = list(dispatch(planned, executor))
    assert not [event for event in events if event.kind == "failed"]
    first, second = executor.submitted
    assert {cell.arm.name for job in first for cell in job.cells} == {"tuned-0shot-chat-writes"}
    assert {cell.arm.name for job in second for cell in job.cells} == {"base-0shot-written"}
    keys = {row["key"] for row in planned.resolved.run.ledger.rows}
    assert keys == planned.resolved.run.cells.done()


def test_a_queueing_executor_leaves_models_that_are_in_its_queue(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(make_run(draws=1))
    names = [job.model.name for job in planned.plan.jobs]
    active = {name: ActiveJob("waits", "queue 1") for name in names[:2]}
    monkeypatch.setattr(QueueingExecutor, "active", active)
    executor = QueueingExecutor(planned.resolved.run)
    assert notes(list(dispatch(planned, executor))) == ["2 models are already in the queue"]
    assert sorted(job.model.name for job in executor.submitted[0]) == sorted(names[2:])
    monkeypatch.setattr(QueueingExecutor, "active", dict.fromkeys(names, ActiveJob("runs", "")))
    executor = QueueingExecutor(planned.resolved.run)
    assert notes(list(dispatch(planned, executor))) == [
        "6 models are already in the queue",
        "nothing to submit",
    ]
    assert executor.submitted == []


def test_an_executor_without_a_queue_does_not_ask_what_is_active(make_run: MakeRun) -> None:
    """Another command may run the same models; their cells are shared."""
    planned = plan(make_run(draws=1))
    executor = IdleExecutor(planned.resolved.run)
    executor.state = None  # type: ignore[assignment, method-assign]
    assert list(dispatch(planned, executor)) == []
    assert len(executor.submitted[0]) == 6


def test_executors_are_found_by_name() -> None:
    assert [executor.name for executor in EXECUTORS] == ["local", "slurm"]
    assert [executor.queues for executor in EXECUTORS] == [False, True]
    assert executor_type("slurm") is EXECUTORS[1]
    with pytest.raises(StudyError, match=r"--on: found 'slurn'; .*Did you mean 'slurm'\?"):
        executor_type("slurn")


def test_a_check_has_a_finding_for_each_problem_or_one_without() -> None:
    assert list(findings("c", iter(["a", "b"]))) == [Finding("c", "a"), Finding("c", "b")]
    assert list(findings("c", iter(()))) == [Finding("c")]


def test_jobs_without_cells_have_no_work(copied: Run) -> None:
    key = min(copied.cells.done())
    model = copied.cells.record(key)["model"]
    remove_cell(copied, key)
    planned = plan(copied.folder)
    remaining = estimate(planned.resolved, planned.plan, planned.done)
    assert len(remaining.jobs) == 6
    assert [entry.job.model.name for entry in with_work(remaining)] == [model]
