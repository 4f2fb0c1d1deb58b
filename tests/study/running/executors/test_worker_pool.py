"""Workers that die, hang or cannot start: their jobs are retried, then set aside."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from study.models.pairs import ModelRef
from study.planning.plan import Job
from study.results.run import Run
from study.running.executors.retries import Attempt, Death
from study.running.executors.worker import MAX_LINE, log_file
from study.running.executors.worker_pool import MAX_FAILED_STARTS, WorkerPool, _Worker
from study.running.status import job_statuses
from tests.conftest import MakeRun
from tests.study.running.local_runs import run_locally
from tests.study.task_files import write_tasks


def finished_tasks(folder: Path) -> set[str]:
    cells = Run.open(folder).cells
    return {cells.record(key)["task"] for key in cells.done()}


def test_a_model_that_crashes_its_workers_is_set_aside_and_the_others_run(
    make_run: MakeRun, tmp_path: Path
) -> None:
    """The base model crashes; the tuned model's arm has more shots than the task supports."""
    changes = write_tasks(tmp_path / "tasks", ["fine", "crash"])
    changes["tasks"][1]["max_shots"] = 0
    changes["arms"] = ["base-0shot", "tuned-1shot"]
    changes["contrasts"] = [{"name": "c", "x": "base-0shot", "y": "tuned-1shot"}]
    folder = make_run(**changes, draws=1)
    result = run_locally(folder)
    (failure,) = result.failures
    assert result.kinds().count("retried") == 1
    assert "killed by SIGSEGV, at the second attempt; set aside" in failure
    (retry,) = [message for message in result.messages if message.startswith("retried: ")]
    assert retry.endswith("killed by SIGSEGV; retrying unchanged")
    log = log_file(folder / "results", "llama-early-xs/base")
    assert str(log) in failure
    assert log.read_text().count("about to crash") == 2
    assert "Segmentation fault" in log.read_text()
    assert finished_tasks(folder) == {"fine"}, "what was finished before stays"
    base, tuned = job_statuses(Run.open(folder))
    assert (tuned.state, tuned.done, tuned.cells) == ("done", 1, 1)
    assert base.state == "failed"
    assert (base.done, base.cells) == (1, 2)
    assert "killed by SIGSEGV, at the second attempt; set aside" in base.why
    assert base.log == str(log)
    assert len(base.last_line) == MAX_LINE, "the names of all modules, elided"
    assert log.read_text().rstrip().endswith(base.last_line[-100:])


@pytest.mark.slow
def test_a_silent_model_is_killed_retried_and_set_aside(task_run: Callable[[str], Path]) -> None:
    folder = task_run("hang")
    result = run_locally(folder, devices=["cpu", "cpu"], stall_seconds=24)
    assert len(result.failures) == 2
    assert all("worker silent for" in line for line in result.failures)
    assert all("at the second attempt; set aside" in line for line in result.failures)
    assert finished_tasks(folder) == {"fine"}


def test_workers_that_cannot_start_are_not_started_for_ever(make_run: MakeRun) -> None:
    run = Run.open(make_run())
    run.results.mkdir()
    (run.results / "logs").write_text("a file in the place of a folder")
    job = Job(ModelRef("somewhere"), 1.0, ())
    pool = WorkerPool(run, ["cpu"], 60.0)
    (event,) = pool.events([job])
    assert event.kind == "failed"
    assert event.model == "somewhere"
    assert "no worker could be started: worker exited with code 1" in event.reason
    assert str(run.results / "logs" / "starting.log") in event.reason
    assert pool.failed_starts == MAX_FAILED_STARTS
    assert pool.workers == []


def test_a_model_larger_than_all_devices_fails_without_a_worker(make_run: MakeRun) -> None:
    pool = WorkerPool(Run.open(make_run()), ["cpu", "cpu"], 60.0)
    pool.memory = 80 * 2**30
    (event,) = pool.events([Job(ModelRef("large"), 400.0, ())])
    assert (event.kind, event.model) == ("failed", "large")
    assert event.reason == "needs 10 such devices, and there are 2"
    assert pool.workers == []


def test_no_jobs_need_no_worker(make_run: MakeRun) -> None:
    assert list(WorkerPool(Run.open(make_run()), ["cpu"], 60.0).events([])) == []


def test_a_worker_that_exits_by_itself_is_not_replaced_for_its_job(make_run: MakeRun) -> None:
    job = Job(ModelRef("somewhere"), 1.0, ())
    pool = WorkerPool(Run.open(make_run()), ["cpu"], 60.0)
    for code, kind, message in (
        (3, "failed", "worker exited with code 3; set aside. Its log is "),
        (-11, "retried", "worker killed by SIGSEGV; retrying unchanged"),
        (-9, "retried", "out of memory; retrying with half the tokens at once"),
    ):
        process, pipe = SimpleNamespace(exitcode=code), cast(Connection, None)
        worker = _Worker(process, pipe, devices=(0,), attempt=Attempt(job))
        pool.workers.append(worker)
        (event,) = pool._replace(worker, Death(code))
        assert event.kind == kind
        assert message in event.reason
