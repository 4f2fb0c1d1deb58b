"""Cancelling what runs on this machine or waits in queues. That a cancelled run can be resumed is
tested with each executor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.processes import ProcessIdentity
from study.results.run import Run
from study.running.cancel import cancel
from study.running.job_states import (
    JobState,
    RunnerProcess,
    jobs_folder,
    keep_open,
    record,
)
from tests.conftest import MakeRun


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return Run.open(make_run())


@pytest.fixture
def process(run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs jobs: it keeps the folder of their states open."""
    jobs_folder(run.results).mkdir(parents=True)
    descriptor = os.open(jobs_folder(run.results), os.O_RDONLY)
    process = subprocess.Popen(["sleep", "60"], pass_fds=[descriptor])
    os.close(descriptor)
    yield process
    process.kill()
    process.wait()


def write_state(run: Run, model: str, **changes: Any) -> Path:
    """The state of a running job, with other values for its runner."""
    record(run.results, model, "running")
    path = run.results / "jobs" / f"{model}.json"
    content = json.loads(path.read_text())
    content["runner"].update(changes)
    path.write_text(json.dumps(content))
    return path


def runner_of(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """What a state says of a process."""
    born = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    return {"pid": process.pid, "born": born}


def test_there_may_be_nothing_to_cancel(run: Run) -> None:
    assert list(cancel(run)) == ["nothing to cancel: no model is queued or running"]
    assert not run.results.exists()


def test_a_process_that_runs_several_jobs_is_sent_one_signal(
    run: Run, process: subprocess.Popen[bytes]
) -> None:
    for model in ("a", "b"):
        write_state(run, model, **runner_of(process))
    assert list(cancel(run)) == [f"sent SIGTERM to process {process.pid}"]
    assert process.wait(10) == -signal.SIGTERM
    assert list(cancel(run)) == ["nothing to cancel: no model is queued or running"]


@pytest.mark.parametrize(
    "pid", [0, -1, -os.getpgrp(), True, None, "1", 1.5, 2**40, 10**400, [7], "self"]
)
def test_a_number_that_is_none_of_a_process_is_an_error(pid: Any, run: Run) -> None:
    """Signals to 0, −1 and negative numbers go to groups of processes, or to all."""
    path = write_state(run, "m", pid=pid)
    with pytest.raises(StudyError, match=rf"{path}: found no state of a job \(.*; .* Delete it"):
        list(cancel(run))


def test_the_first_process_and_the_command_itself_are_never_sent_a_signal(run: Run) -> None:
    write_state(run, "first", pid=1)
    write_state(run, "this")
    with keep_open(run.results):
        (message,) = cancel(run)
    assert message.startswith(f"process {os.getpid()} may still run on ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"born": 12345}, "nothing to cancel: no model is queued or running"),
        ({"boot": "0" * 32}, "nothing to cancel: no model is queued or running"),
        ({"host": "elsewhere"}, "process {pid} may still run on elsewhere; cancel it there"),
        ({"namespace": 7}, "process {pid} may still run on {host}; cancel it there"),
        ({"boot": ""}, "process {pid} may still run on {host}; cancel it there"),
    ],
)
def test_a_process_that_is_not_certainly_the_runner_is_sent_nothing(
    change: dict[str, Any], message: str, run: Run, process: subprocess.Popen[bytes]
) -> None:
    write_state(run, "m", **{**runner_of(process), **change})
    host = RunnerProcess.current().host
    assert list(cancel(run)) == [message.format(pid=process.pid, host=host)]
    assert process.poll() is None


def test_a_copy_of_a_run_does_not_cancel_the_original(
    run: Run, process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    write_state(run, "m", **runner_of(process))
    copy = Run.open(shutil.copytree(run.folder, tmp_path / "copy"))
    assert list(cancel(copy)) == ["nothing to cancel: no model is queued or running"]
    assert process.poll() is None


def test_a_process_that_is_named_and_does_not_run_the_study_is_sent_nothing(run: Run) -> None:
    """A file may say of any process that it runs a job."""
    other = subprocess.Popen(["sleep", "60"])
    try:
        write_state(run, "m", **runner_of(other))
        assert list(cancel(run)) == ["nothing to cancel: no model is queued or running"]
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_process_of_which_nothing_can_be_seen_is_left_to_its_user(
    run: Run, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(run, "m", **runner_of(process))
    monkeypatch.setattr(ProcessIdentity, "works_in", lambda identity, folder: None)
    host = RunnerProcess.current().host
    expected = f"process {process.pid} may still run on {host}; cancel it there"
    assert list(cancel(run)) == [expected]
    assert process.poll() is None


def test_states_are_what_is_recorded(run: Run) -> None:
    path = write_state(run, "m")
    assert JobState.model_validate_json(path.read_bytes()).runner == RunnerProcess.current()
