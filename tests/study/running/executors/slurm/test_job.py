"""A job at its time limit: requeued while it makes progress, then set aside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.config.executors import SlurmResources
from study.errors import StudyError
from study.results.run import Run
from study.running.executors.slurm.job import MAX_IDLE_REQUEUES, ModelJob
from study.running.executors.slurm.sbatch import JOB_MODULE
from study.running.executors.slurm.submissions import job_file, new_submission, read_job
from study.running.job_states import job_states
from tests.finished_runs import remove_cell
from tests.in_process import plan
from tests.study.running.executors.slurm.descriptions import described


@pytest.fixture
def folder(copied: Run) -> Path:
    """A submission of one job of a finished run, one of whose cells is missing."""
    job = plan(copied.folder).plan.jobs[0]
    remove_cell(copied, str(job.cells[0].key))
    return new_submission(copied.results, "s", [described(job, study=copied.study)])


@pytest.fixture
def job(folder: Path) -> ModelJob:
    """That job, just started."""
    return ModelJob(folder, 0, read_job(folder, 0))


def use_up_time(job: ModelJob) -> None:
    job.started = time.monotonic() - 3600


def test_a_preempted_job_is_requeued_each_time(job: ModelJob) -> None:
    for _ in range(2 * MAX_IDLE_REQUEUES):
        assert job.resumes()


def test_a_job_without_progress_is_set_aside(
    folder: Path, job: ModelJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it was started: each start is a process of its own."""
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "17")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    for _ in range(MAX_IDLE_REQUEUES - 1):
        started = ModelJob(folder, 0, read_job(folder, 0))
        use_up_time(started)
        assert started.resumes()
    use_up_time(job)
    assert not job.resumes()
    state = job_states(job.run.results)[job.job.model.name]
    assert state.state == "failed"
    assert state.runner.queue_job == "slurm 17_3"
    (reason,) = state.failures
    assert reason == "no cell finished in 2 × 1 hours; set aside. Give it more time"


def test_progress_resets_the_count(job: ModelJob) -> None:
    use_up_time(job)
    assert job.resumes()
    assert json.loads(job.requeues_file.read_text()) == {"idle": 1}
    job.initial_progress -= 1
    use_up_time(job)
    assert job.resumes()
    assert json.loads(job.requeues_file.read_text()) == {"idle": 0}
    job.requeues_file.write_text('{"idle": -1}')
    with pytest.raises(StudyError, match=r"0\.requeues: found no count of requeues"):
        job.resumes()


def test_a_job_is_read_as_its_study_and_cells(folder: Path, job: ModelJob, copied: Run) -> None:
    planned = plan(copied.folder).plan.jobs[0]
    assert [cell.key for cell in job.job.cells] == [cell.key for cell in planned.cells]
    assert job.job == planned
    assert job.run.study == copied.study
    assert job.run.folder == copied.folder
    assert job.progress() == job.initial_progress == len(planned.cells) - 1
    assert not list(copied.results.rglob("*.pkl"))


def test_without_the_devices_that_were_requested_the_job_fails(folder: Path) -> None:
    description = read_job(folder, 0)

    def failure(**changes: object) -> str:
        job = ModelJob(folder, 0, description.model_copy(update=changes))
        (event,) = job.events()
        assert event.kind == "failed"
        return event.reason

    resources = SlurmResources(hours=1, memory_gb=1, gpus=99)
    reason = failure(devices=None, resources=resources)
    assert "GPUs that torch can use; expected 99, as study.yaml requests" in reason
    assert "--device: found 'cuda:98'" in failure(devices=["cuda:98"])
    job = ModelJob(folder, 0, description.model_copy(update={"devices": None}))
    assert job.devices() == ["cpu"]


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", JOB_MODULE, str(folder), "0"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_notice_requeues_the_job_once_its_workers_have_ended(
    folder: Path, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    scontrol.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = start(folder, PATH=path, SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID="0")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("loading")
    process.send_signal(signal.SIGUSR2)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert log.splitlines()[-1] == "Requeued job 17_0"
    assert calls.read_text() == "requeue 17_0\n"


def test_an_invalid_description_is_one_error(folder: Path) -> None:
    path = job_file(folder, 0)
    content = json.loads(path.read_text())
    content["stall_seconds"] = "soon"
    path.write_text(json.dumps(content))
    process = start(folder)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = log.splitlines()
    assert line.startswith(f"error: {path}: stall_seconds: found an invalid value: ")
