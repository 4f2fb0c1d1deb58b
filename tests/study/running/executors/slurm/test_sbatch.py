"""Every resource of a study reaches Slurm; Slurm is asked whether it accepts them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from study.config.executors import SlurmResources
from study.errors import StudyError
from study.running.executors.slurm.sbatch import check_commands, refusal, sbatch_parameters

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


def test_every_resource_reaches_slurm(sbatch: Path, tmp_path: Path) -> None:
    """In the script that submitit writes of them, which Slurm is given."""
    (tmp_path / "srun").symlink_to(sbatch)  # submitit looks for it
    from submitit import SlurmExecutor

    executor = SlurmExecutor(tmp_path)
    executor.update_parameters(**sbatch_parameters("name", RESOURCES))
    executor.parameters["map_count"] = 40  # as submitit sets it for an array
    script = executor._make_submission_file_text("the job", "1")
    flags = {line.removeprefix("#SBATCH --") for line in script.splitlines()}
    assert flags >= {
        "job-name=name",
        "time=150",
        "mem=3000M",
        "cpus-per-task=5",
        "gpus-per-node=2",
        "array=0-39%7",
        "partition=p",
        "account=a",
        "qos=q",
        "constraint=h100",
        "requeue",
        "signal=B:USR2@90",
        "module load cuda",
        "the job",
    }


def test_resources_that_are_not_given_are_left_to_the_cluster() -> None:
    parameters = sbatch_parameters("name", SlurmResources(hours=0.01, memory_gb=0.5))
    assert parameters["time"] == 1
    assert parameters["mem"] == "500M"
    assert parameters["additional_parameters"]["signal"] == "B:USR2@15"
    assert not {"gpus_per_node", "partition", "account", "qos", "setup"} & parameters.keys()


def test_slurm_is_asked_without_queueing_a_job(sbatch: Path) -> None:
    assert refusal(RESOURCES) == "too much"
    options = (sbatch.parent / "calls").read_text().split()
    assert options[:2] == ["--test-only", "--nodes=1"]
    assert {"--time=150", "--gpus-per-node=2", "--constraint=h100"} <= set(options)
    sbatch.write_text("#!/bin/sh\nexit 0\n")
    assert refusal(RESOURCES) == ""


def test_commands_that_are_needed(sbatch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_commands()
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(StudyError, match=r"submitit: found not installed; .*\[slurm\]"):
        check_commands()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StudyError, match="sbatch: found no such command"):
        check_commands()
