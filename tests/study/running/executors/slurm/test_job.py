"""A job at its time limit: requeued while it makes progress, then set aside."""

from __future__ import annotations

import pickle
import time

import pytest
from submitit.helpers import DelayedSubmission

from study.config.executors import SlurmResources
from study.results.run import Run
from study.running.executors.slurm.job import MAX_IDLE_REQUEUES, ModelJob
from study.running.job_states import job_states
from tests.finished_runs import remove_cell
from tests.in_process import plan

RESOURCES = SlurmResources(hours=1, memory_gb=1)


@pytest.fixture
def job(copied: Run) -> ModelJob:
    """A job of a finished run, one of whose cells is missing; it has just been started."""
    planned = plan(copied.folder)
    job = ModelJob(copied, planned.plan.jobs[0], RESOURCES, ["cpu"], 60.0)
    remove_cell(copied, str(job.job.cells[0].key))
    job.started, job.initial_progress = time.monotonic(), job._progress()
    return job


def use_up_time(job: ModelJob) -> None:
    job.started = time.monotonic() - 3600


def test_a_preempted_job_is_requeued_each_time(job: ModelJob) -> None:
    for _ in range(2 * MAX_IDLE_REQUEUES):
        requeued = job.checkpoint()
        assert isinstance(requeued, DelayedSubmission)
        assert requeued.function is job
    assert job.idle_requeues == 0


def test_a_job_without_progress_is_set_aside(
    job: ModelJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "17")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    for _ in range(MAX_IDLE_REQUEUES - 1):
        use_up_time(job)
        assert job.checkpoint() is not None
    use_up_time(job)
    assert job.checkpoint() is None
    state = job_states(job.run.results)[job.job.model.name]
    assert state.state == "failed"
    assert state.runner.queue_job == "slurm 17_3"
    (reason,) = state.failures
    assert reason == "no cell finished in 2 × 1 hours; set aside. Give it more time"


def test_progress_resets_the_count(job: ModelJob) -> None:
    use_up_time(job)
    assert job.checkpoint() is not None
    assert job.idle_requeues == 1
    job.initial_progress -= 1
    use_up_time(job)
    assert job.checkpoint() is not None
    assert job.idle_requeues == 0


def test_a_job_is_pickled_as_its_study_and_cells(job: ModelJob) -> None:
    copy = pickle.loads(pickle.dumps(job))
    assert copy.job == job.job
    assert copy.run.study == job.run.study
    assert copy._progress() == job._progress() == len(job.job.cells) - 1


def test_without_the_gpus_that_were_requested_the_job_fails(job: ModelJob) -> None:
    job.devices, job.resources = None, SlurmResources(hours=1, memory_gb=1, gpus=99)
    (event,) = job._events()
    assert event.kind == "failed"
    assert "GPUs that torch can use; expected 99, as study.yaml requests" in event.reason
    job.resources = RESOURCES
    assert job._own_devices() == ["cpu"]
