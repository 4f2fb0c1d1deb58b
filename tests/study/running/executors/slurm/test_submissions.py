"""Which model is which job of which array."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.models.pairs import ModelRef
from study.planning.plan import Job
from study.running.executors.slurm.submissions import (
    new_submission,
    queued_models,
    slurm_logs,
    submissions,
)

JOBS = [Job(ModelRef(name), 1.0, ()) for name in ("org/a", "org/b")]


def test_a_submission_has_a_folder_that_names_its_models(tmp_path: Path) -> None:
    assert submissions(tmp_path) == {}
    one, two = (new_submission(tmp_path, "s" * 40, jobs) for jobs in (JOBS, JOBS[:1]))
    assert one.parent == two.parent == tmp_path / "slurm"
    assert one.name.startswith("s" * 24 + "-")
    assert submissions(tmp_path) == {one.name: ["org/a", "org/b"], two.name: ["org/a"]}


def test_tasks_in_the_queue_are_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queued_models(tmp_path) == {}, "without a submission Slurm is not called"
    folder = new_submission(tmp_path, "s", JOBS)
    command = tmp_path / "squeue"
    command.write_text(f"#!/bin/sh\necho '17|1|{folder.name}|RUNNING|n1'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (model,) = queued_models(tmp_path)
    assert model == "org/b"
    assert queued_models(tmp_path)[model].identifier == "17_1"


def test_logs_of_a_model(tmp_path: Path) -> None:
    array, single = (new_submission(tmp_path, "s", jobs) for jobs in (JOBS, JOBS[:1]))
    for name in ("17_0_0_log.out", "17_1_0_log.out", "17_1_0_log.err"):
        (array / name).touch()
    (single / "18_0_log.err").touch()
    assert {path.name for path in slurm_logs(tmp_path, "org/a")} == {
        "17_0_0_log.out",
        "18_0_log.err",
    }
    assert {path.name for path in slurm_logs(tmp_path, "org/b")} == {
        "17_1_0_log.out",
        "17_1_0_log.err",
    }
    assert slurm_logs(tmp_path, "org/c") == []
