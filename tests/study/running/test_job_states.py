"""The state of each job, in a file written by the process that runs it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import StudyError
from study.processes import ProcessIdentity
from study.running.events import Event
from study.running.job_states import (
    RunnerProcess,
    job_states,
    jobs_folder,
    record,
    recorded,
)


def test_the_runner_is_this_process_or_a_job_of_a_queue() -> None:
    current = RunnerProcess.current()
    assert current.process == ProcessIdentity.current()
    assert current.where == f"{current.host}, process {os.getpid()}"
    assert RunnerProcess.current("slurm 1_2").where == "slurm 1_2"


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


def test_a_process_that_runs_jobs_keeps_the_folder_of_their_states_open(tmp_path: Path) -> None:
    me, folder = ProcessIdentity.current(), jobs_folder(tmp_path)
    events = recorded([Event("loading", "m"), Event("finished", "m")], tmp_path)
    next(events)
    assert me.works_in(folder) is True
    assert list(events)
    assert me.works_in(folder) is False


def test_a_later_job_of_a_model_has_no_failures_of_an_earlier_one(tmp_path: Path) -> None:
    events = [Event("failed", "m", reason="first"), Event("loading", "m"), Event("finished", "m")]
    list(recorded(events, tmp_path))
    assert job_states(tmp_path)["m"].state == "done"
    assert job_states(tmp_path)["m"].failures == ()


def test_a_state_that_cannot_be_written_does_not_stop_the_job(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file in the place of a folder")
    record(tmp_path, "m", "running")


VALID = {
    "model": "m",
    "state": "running",
    "runner": {"host": "h", "pid": 7, "born": 7},
    "at": 0.0,
    "failures": ["one", "two"],
}
"As an earlier version wrote it."


def write(folder: Path, content: bytes | str, name: str = "m") -> None:
    path = folder / "jobs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_state_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    write(tmp_path, json.dumps(VALID))
    state = job_states(tmp_path)["m"]
    assert (state.state, state.failures, state.runner.pid) == ("running", ("one", "two"), 7)


def test_a_state_under_an_earlier_file_name_is_read_until_there_is_a_later_one(
    tmp_path: Path,
) -> None:
    write(tmp_path, json.dumps({**VALID, "model": "org/m", "at": 1.0}), "org-m")
    assert job_states(tmp_path)["org/m"].state == "running"
    record(tmp_path, "org/m", "done", (), "")
    assert job_states(tmp_path)["org/m"].state == "done"


def test_models_whose_names_differ_in_a_separator_have_their_own_states(tmp_path: Path) -> None:
    record(tmp_path, "org/a-b", "done", (), "")
    record(tmp_path, "org-a/b", "failed", ("no",), "")
    states = job_states(tmp_path)
    assert {model: state.state for model, state in states.items()} == {
        "org/a-b": "done",
        "org-a/b": "failed",
    }


RUNNER = {"host": "h", "pid": 7, "born": 7}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        "[]",
        "null",
        "",
        b"\xff\xfe",
        b"\x00",
        "[" * 100_000,
        json.dumps({"model": "m"}),
        json.dumps({**VALID, "more": 1}),
        json.dumps({**VALID, "model": 7}),
        json.dumps({**VALID, "model": ""}),
        json.dumps({**VALID, "model": "a\x1b[2Jb"}),
        json.dumps({**VALID, "model": "\ud800"}),
        json.dumps({**VALID, "model": "another"}),
        json.dumps({**VALID, "state": "paused"}),
        json.dumps({**VALID, "at": math.inf}),
        json.dumps({**VALID, "at": math.nan}),
        json.dumps({**VALID, "at": 1e300}),
        json.dumps({**VALID, "at": -1}),
        json.dumps({**VALID, "at": True}),
        json.dumps({**VALID, "at": "0"}),
        json.dumps({**VALID, "failures": "one"}),
        json.dumps({**VALID, "failures": [1]}),
        json.dumps({**VALID, "runner": None}),
        *(
            json.dumps({**VALID, "runner": {**RUNNER, "pid": pid}})
            for pid in (0, -1, True, "7", 7.0, 1e3, 10**30, None)
        ),
        *(json.dumps({**VALID, "runner": {**RUNNER, "born": born}}) for born in (-1, True, "7")),
        *(json.dumps({**VALID, "runner": {**RUNNER, "boot": boot}}) for boot in (7, "x", "\n")),
    ],
)
def test_a_corrupted_state_is_one_error(content: bytes | str, tmp_path: Path) -> None:
    write(tmp_path, content)
    with pytest.raises(
        StudyError, match=r"m\.json: found .* what `study run` wrote\. Delete it: the"
    ):
        job_states(tmp_path)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
def test_what_is_not_a_file_is_one_error(make: Callable[[Path], object], tmp_path: Path) -> None:
    record(tmp_path, "m", "done")
    make(tmp_path / "jobs" / "other.json")
    with pytest.raises(StudyError, match=r"other\.json: found (something that is|a loop of)"):
        job_states(tmp_path)


def test_files_of_another_name_are_no_states(tmp_path: Path) -> None:
    record(tmp_path, "m", "done")
    for name in ("notes.txt", ".hidden.json", ".writing.h.0.0.1.1.0"):
        (tmp_path / "jobs" / name).write_text("{")
    assert list(job_states(tmp_path)) == ["m"]


def test_reasons_are_recorded_in_text_that_prints(tmp_path: Path) -> None:
    record(tmp_path, "m", "failed", ("a\x1b[2J\nb", "\ud800"))
    (state,) = job_states(tmp_path).values()
    assert state.failures == (r"a\x1b[2J\nb", r"\ud800")
    write(tmp_path, json.dumps({**VALID, "failures": ["\x07"]}))
    assert job_states(tmp_path)["m"].failures == (r"\x07",)


def test_without_jobs_there_are_no_states(tmp_path: Path) -> None:
    assert job_states(tmp_path) == {}
