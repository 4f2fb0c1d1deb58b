"""The state of each job, in a file written by the process that runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from study.errors import StudyError
from study.running.events import Event
from study.running.job_states import RunnerProcess, job_states, record, recorded


def test_another_process_of_the_same_number_is_not_the_runner() -> None:
    current = RunnerProcess.current()
    assert current.pid == os.getpid()
    assert current.alive() is True
    assert RunnerProcess(current.host, current.pid, current.born - 1).alive() is False
    assert RunnerProcess("elsewhere", current.pid, current.born).alive() is None
    child = subprocess.Popen(["sleep", "0"])
    child.wait()
    assert RunnerProcess(current.host, child.pid, 0).alive() is False
    assert RunnerProcess("h", 5, 0).where == "h, process 5"
    assert RunnerProcess("h", 5, 0, "slurm 1_2").where == "slurm 1_2"


def test_events_are_passed_on_and_the_state_of_each_job_is_recorded(tmp_path: Path) -> None:
    events = [
        Event("loading", "a/b"),
        Event("loading", "c"),
        Event.note("something"),
        Event("cell", "a/b", "base-0shot t"),
        Event("failed", "c", "base-0shot t", "ValueError: no"),
        Event("finished", "a/b"),
        Event("finished", "c"),
        Event("loading", "d"),
        Event("failed", "d", reason="no weights"),
        Event("loading", "e"),
    ]
    passed, phases = [], []
    for event in recorded(events, tmp_path, "slurm 7_1"):
        passed.append(event)
        phases.append({model: state.state for model, state in job_states(tmp_path).items()})
    assert passed == events
    assert phases[0] == {"a/b": "running"}
    assert phases[5] == {"a/b": "done", "c": "running"}
    states = job_states(tmp_path)
    assert {model: state.state for model, state in states.items()} == {
        "a/b": "done",
        "c": "failed",
        "d": "failed",
        "e": "running",
    }
    assert states["c"].failures == ("base-0shot t: ValueError: no",)
    assert states["d"].failures == ("no weights",)
    assert states["e"].runner == RunnerProcess.current("slurm 7_1")


def test_a_later_job_of_a_model_has_no_failures_of_an_earlier_one(tmp_path: Path) -> None:
    events = [Event("failed", "m", reason="first"), Event("loading", "m"), Event("finished", "m")]
    list(recorded(events, tmp_path))
    assert job_states(tmp_path)["m"].state == "done"
    assert job_states(tmp_path)["m"].failures == ()


def test_a_state_that_cannot_be_written_does_not_stop_the_job(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file in the place of a folder")
    record(tmp_path, "m", "running")


@pytest.mark.parametrize("content", ["{", "{}", "[]", json.dumps({"model": "m"})])
def test_a_corrupted_state_is_an_error(content: str, tmp_path: Path) -> None:
    record(tmp_path, "m", "running")
    (tmp_path / "jobs" / "m.json").write_text(content)
    with pytest.raises(StudyError, match=r"m\.json: found no state of a job; .* Delete it: the"):
        job_states(tmp_path)


def test_without_jobs_there_are_no_states(tmp_path: Path) -> None:
    assert job_states(tmp_path) == {}
