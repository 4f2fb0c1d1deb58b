"""Slurm's queue as its commands print it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.errors import StudyError
from study.running.executors.slurm import queue
from study.running.executors.slurm.queue import QueuedTask, cancel, queued, release

LINES = """17|0|one|RUNNING|n1
17|3|one|PENDING|(Resources)
18|N/A|two|PENDING|(job requeued in held state|x)
19|1|two|COMPLETING|n2
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands in the place of Slurm's, which write down their calls."""
    (tmp_path / "lines").write_text(LINES)
    for name in ("squeue", "scancel", "scontrol"):
        command = tmp_path / name
        output = f"cat {tmp_path}/lines" if name == "squeue" else "true"
        command.write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/calls\n{output}\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_tasks_of_arrays_and_single_jobs(commands: Path) -> None:
    first, second, third, fourth = queued(["two", "one"])
    assert first == QueuedTask("17_0", "one", 0, "RUNNING", "n1")
    assert (second.identifier, second.index) == ("17_3", 3)
    assert (third.identifier, third.index) == ("18", 0)
    assert third.reason == "(job requeued in held state|x)"
    assert [task.waits for task in (first, second, third, fourth)] == [False, True, True, False]
    assert "--name=one,two" in (commands / "calls").read_text()


def test_a_task_that_failed_to_start_is_held() -> None:
    reason = "(launch failed requeued held)"
    assert QueuedTask("1", "n", 0, "PENDING", reason).held
    assert not QueuedTask("1", "n", 0, "PENDING", "(Resources)").held


def test_tasks_are_cancelled_and_released_by_their_identifiers(commands: Path) -> None:
    tasks = queued(["one"])[:2]
    cancel(tasks)
    release(tasks)
    assert (commands / "calls").read_text().splitlines()[1:] == [
        "scancel 17_0 17_3",
        "scontrol release 17_0 17_3",
    ]


def test_nothing_is_called_for_nothing(commands: Path) -> None:
    assert queued([]) == []
    cancel([])
    release([])
    assert not (commands / "calls").exists()


def test_a_slurm_that_does_not_answer_is_an_error(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (commands / "squeue").write_text("#!/bin/sh\necho 'no  controller' >&2\nexit 1\n")
    with pytest.raises(StudyError, match="squeue: found no controller; expected an answer from"):
        queued(["one"])
    (commands / "squeue").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(StudyError, match="squeue: found exit code 3"):
        queued(["one"])
    monkeypatch.setattr(queue, "TIMEOUT_SECONDS", 0.1)
    (commands / "squeue").write_text("#!/bin/sh\nsleep 5\n")
    with pytest.raises(StudyError, match=r"squeue: found no answer within 0\.1 s"):
        queued(["one"])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StudyError, match="squeue: found no such command; expected Slurm's"):
        queued(["one"])
