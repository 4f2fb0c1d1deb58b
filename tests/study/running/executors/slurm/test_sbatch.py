"""Every resource of a study reaches Slurm; Slurm is asked whether it accepts them."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from study.config.executors import SlurmResources
from study.errors import StudyError
from study.running.executors.slurm.sbatch import (
    JOB_MODULE,
    batch_script,
    check_commands,
    refusal,
    resource_options,
    submit_array,
)

RESOURCES = SlurmResources(
    hours=2.5,
    memory_gb=3,
    cpus=5,
    gpus=2,
    at_once=7,
    partition="p",
    account="a",
    qos="q",
    constraint="h100",
    setup=["module load cuda"],
)


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command in the place of sbatch, which writes what it is called with and refuses it."""
    command = tmp_path / "sbatch"
    command.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/calls\necho "too  much" >&2\nexit 1\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return command


def test_every_resource_reaches_slurm() -> None:
    folder = Path("/shared/50 % of/name")
    script = batch_script(folder, 40, RESOURCES)
    lines = script.splitlines()
    assert lines[0] == "#!/bin/bash"
    flags = {" ".join(shlex.split(line)[1:]) for line in lines if line.startswith("#SBATCH ")}
    assert flags == {
        "--job-name=name",
        "--array=0-39%7",
        "--nodes=1",
        "--time=150",
        "--mem=3000M",
        "--cpus-per-task=5",
        "--gpus-per-node=2",
        "--partition=p",
        "--account=a",
        "--qos=q",
        "--constraint=h100",
        "--output=/shared/50 %% of/name/%A_%a_log.out",
        "--error=/shared/50 %% of/name/%A_%a_log.err",
        "--open-mode=append",
        "--requeue",
        "--signal=B:USR2@90",
    }
    setup, command = lines[-2:]
    assert setup == "module load cuda"
    words = [sys.executable, "-u", "-m", JOB_MODULE, str(folder), "$SLURM_ARRAY_TASK_ID"]
    assert shlex.split(command) == ["exec", *words]


def test_resources_that_are_not_given_are_left_to_the_cluster() -> None:
    resources = SlurmResources(hours=0.01, memory_gb=0.5)
    assert resource_options(resources) == {
        "nodes": "1",
        "time": "1",
        "mem": "500M",
        "cpus-per-task": "4",
    }
    assert "--signal=B:USR2@15" in batch_script(Path("f"), 1, resources)
    assert "--array=0-0%1" in batch_script(Path("f"), 1, resources)


def test_the_number_of_a_submitted_array(sbatch: Path, tmp_path: Path) -> None:
    folder = tmp_path / "submission"
    with pytest.raises(StudyError, match=r"study\.yaml: slurm\[0\]: found too much; expected"):
        submit_array(folder, 2, RESOURCES, "study.yaml: slurm[0]")
    assert not folder.exists()
    sbatch.write_text("#!/bin/sh\necho '17;cluster'\n")
    assert submit_array(folder, 2, RESOURCES, "") == "17"
    assert (folder / "batch.sh").read_text() == batch_script(folder, 2, RESOURCES)


def test_slurm_is_asked_without_queueing_a_job(sbatch: Path) -> None:
    assert refusal(RESOURCES) == "too much"
    options = (sbatch.parent / "calls").read_text().split()
    assert options[:2] == ["--test-only", "--nodes=1"]
    assert {"--time=150", "--gpus-per-node=2", "--constraint=h100"} <= set(options)
    sbatch.write_text("#!/bin/sh\nexit 0\n")
    assert refusal(RESOURCES) == ""


def test_commands_that_are_needed(sbatch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_commands()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StudyError, match="sbatch: found no such command"):
        check_commands()
