"""Which model is which job of which array."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.results.identity import canonical
from study.results.run import Run
from study.running.executors.slurm.executor import SlurmExecutor
from study.running.executors.slurm.sbatch import SCRIPT, batch_script
from study.running.executors.slurm.submissions import (
    job_file,
    new_submission,
    queued_models,
    read_job,
    slurm_logs,
    submissions,
)
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.running.executors.slurm.descriptions import described, job_of
from tests.study.task_files import TUNING

JOBS = [described(job_of(name)) for name in ("org/a", "org/b")]


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


def test_a_copied_run_has_no_jobs_of_the_original(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = Run.open(make_run("original", slurm=[{"hours": 1, "memory_gb": 1}]))
    submission = new_submission(run.results, "s", JOBS)
    resources = run.study.slurm[0]
    (submission / SCRIPT).write_text(batch_script(submission, len(JOBS), resources))
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, text in (
        ("squeue", f"echo '17|1|{submission.name}|RUNNING|n1'"),
        ("scancel", f"echo $* >> {commands / 'cancelled'}"),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)
    shutil.copytree(run.folder, tmp_path / "copy")
    copy, link = Run.open(tmp_path / "copy"), tmp_path / "link"
    assert submissions(copy.results) == queued_models(copy.results) == {}
    with pytest.raises(StudyError, match=f"another folder: '{submission.name}'; .*or moved"):
        list(SlurmExecutor(copy).cancel())
    assert not (commands / "cancelled").exists()
    link.symlink_to(run.folder)
    for same in (run, Run.open(link)):
        assert list(SlurmExecutor(same).cancel()) == ["removed 1 models from Slurm's queue"]
    assert (commands / "cancelled").read_text() == "17_1\n17_1\n"


@pytest.mark.parametrize("script", ["", "exec 'unclosed", "one", "exec python /nowhere 0"])
def test_a_script_that_names_no_folder_has_no_jobs_here(script: str, tmp_path: Path) -> None:
    submission = new_submission(tmp_path, "s", JOBS)
    assert list(submissions(tmp_path)) == [submission.name], "nothing was submitted"
    (submission / SCRIPT).write_text(script)
    assert submissions(tmp_path) == {}


def test_logs_of_a_model(tmp_path: Path) -> None:
    array, single = (new_submission(tmp_path, "s", jobs) for jobs in (JOBS, JOBS[:1]))
    for name in ("17_0_log.out", "17_1_log.out", "17_1_log.err", "17_10_log.out"):
        (array / name).touch()
    (single / "18_0_log.err").touch()
    assert {path.name for path in slurm_logs(tmp_path, "org/a")} == {
        "17_0_log.out",
        "18_0_log.err",
    }
    assert {path.name for path in slurm_logs(tmp_path, "org/b")} == {
        "17_1_log.out",
        "17_1_log.err",
    }
    assert slurm_logs(tmp_path, "org/c") == []


def test_jobs_of_every_kind_are_read_as_they_were_written(
    make_run: MakeRun, tmp_path: Path
) -> None:
    tuned = make_run(
        "tuned",
        pairs=...,
        layout="zoo",
        tuning=TUNING,
        answers={"choose": "similarity", "tokens": 6, "writing_tokens": 60},
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
        arms=["base-2shot-fields", "tuned-0shot-chat-writes", "base-0shot-written"],
        contrasts=[{"name": "c", "x": "base-2shot-fields", "y": "base-0shot-written"}],
    )
    for folder in (make_run("run"), tuned):
        planned = plan(folder)
        study = planned.resolved.study
        jobs = planned.plan.jobs
        written = new_submission(tmp_path, "s", [described(job, study=study) for job in jobs])
        for index, job in enumerate(jobs):
            read = read_job(written, index)
            assert read.study.located(folder) == study
            assert (read.job.model, read.job.params_b) == (job.model, job.params_b)
            assert read.job.tuned == job.tuned
            assert [plain(cell) for cell in read.job.cells] == [plain(cell) for cell in job.cells]


def plain(cell: Any) -> dict[str, Any]:
    """A cell's fields; its identity as the text that is hashed."""
    fields = {name: getattr(cell, name) for name in cell.__slots__}
    return {**fields, "identity": canonical(fields["identity"])}


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


def test_files_of_a_submission_run_no_code(tmp_path: Path) -> None:
    """Whatever stands in them: a pickle, code, an object of another type, deep nesting."""
    marker = tmp_path / "marker"
    folder = new_submission(tmp_path, "s", JOBS)
    valid = json.loads(job_file(folder, 0).read_text())
    hostile = [
        pickle.dumps(Touch(marker)),
        f"__import__('pathlib').Path({str(marker)!r}).touch()".encode(),
        b"!!python/object/apply:os.system [touch marker]",
        b"[" * 100_000,
        b"",
        b"\xff\xfe",
        json.dumps({**valid, "version": 2}).encode(),
        json.dumps({**valid, "module": "os"}).encode(),
        json.dumps({**valid, "job": {"model": "m"}}).encode(),
        json.dumps({**valid, "devices": "cpu"}).encode(),
    ]
    for content in hostile:
        job_file(folder, 0).write_bytes(content)
        with pytest.raises(
            StudyError, match=r"0\.json.* expected what `study run --on slurm` wrote"
        ):
            read_job(folder, 0)
    for content in [*hostile[:6], b'{"a": 1}', b"[1, 2]"]:
        (folder / "models.json").write_bytes(content)
        with pytest.raises(StudyError, match=r"models\.json: found no list of models"):
            submissions(tmp_path)
    assert not marker.exists()
    with pytest.raises(StudyError, match=r"7\.json: found No such file or directory"):
        read_job(folder, 7)
