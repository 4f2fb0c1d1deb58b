"""Studies on a Slurm cluster of two nodes, which the tests start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.results.run import Run
from tests.cluster import Cluster, missing_programs
from tests.conftest import MakeRun
from tests.study.commands import call
from tests.study.running.executors.slurm.cluster_runs import (
    SMALL_JOB,
    all_done,
    all_failed,
    statuses,
    wait_for_log,
    wait_until,
)
from tests.study.running.executors.slurm.conftest import Command
from tests.study.task_files import TUNING

ONE_PAIR = [{"source": "zoo", "pair": ["llama-early-xs"]}]


def test_a_job_that_gets_other_resources_than_requested_fails(
    on_cluster: Command, make_run: MakeRun
) -> None:
    """The cluster's GPUs do not exist: a job that should compute on one says so, and computes on
    nothing else."""
    folder = make_run(slurm=[SMALL_JOB], pairs=ONE_PAIR)
    assert on_cluster("stage", folder).returncode == 0
    assert on_cluster("run", folder, "--on", "slurm").returncode == 0
    rows = wait_until(folder, all_failed)
    assert all("found 0 GPUs that torch can use; expected 1" in row["why"] for row in rows.values())
    assert not Run.open(folder).cells.done()
    text = on_cluster("status", folder).stdout
    assert "2 models: 0 done, 0 running, 0 waiting, 2 failed; 0 of 8 cells done" in text
    for row in rows.values():
        assert Path(row["log"]).read_text().strip().endswith(row["last_line"])
        assert f"{row['log']}: {row['last_line']}" in text


def test_cancelled_jobs_leave_the_queue_and_can_be_submitted_again(
    cluster: Cluster, on_cluster: Command, make_run: MakeRun
) -> None:
    resources = {**SMALL_JOB, "gpus": 0, "setup": ["export MARK=set-up", "echo $MARK >&2"]}
    folder = make_run(slurm=[resources], pairs=ONE_PAIR)
    assert on_cluster("stage", folder).returncode == 0
    assert on_cluster("run", folder, "--on", "slurm").returncode == 0
    wait_until(folder, lambda rows: any(row["state"] == "runs" for row in rows))
    cancelled = on_cluster("cancel", folder)
    assert cancelled.returncode == 0
    assert "removed 2 models from Slurm's queue" in cancelled.stderr
    cluster.wait_for("squeue", "-h", answer="")
    after = statuses(folder)
    assert {row["state"] for row in after.values()} <= {"waits", "failed", "done"}
    cancelled = on_cluster("cancel", folder)
    assert cancelled.stderr.splitlines()[1].startswith("nothing to cancel")
    again = on_cluster("run", folder, "--on", "slurm")
    remaining = sum(row["state"] != "done" for row in after.values())
    assert f"{remaining} models submitted as" in again.stderr
    wait_until(folder, all_done)
    wait_for_log(folder, "set-up")


def test_resources_that_slurm_refuses_are_one_error(on_cluster: Command, make_run: MakeRun) -> None:
    folder = make_run(slurm=[{**SMALL_JOB, "partition": "nowhere"}])
    assert on_cluster("stage", folder).returncode == 0
    examined = on_cluster("doctor", folder, "--on", "slurm")
    assert examined.returncode == 1
    assert "problem  resources of Slurm: slurm[0]: " in examined.stdout
    assert "invalid partition" in examined.stdout
    refused = on_cluster("run", folder, "--on", "slurm")
    assert refused.returncode == 2
    assert "study.yaml: slurm[0]: found" in refused.stderr
    assert "invalid partition" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list(folder.glob("results/slurm/*"))


def test_without_resources_or_slurm_there_is_one_error(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(slurm=[{"hours": 1, "memory_gb": 1, "cpu": 2}])
    unknown = call("plan", folder)
    assert unknown.returncode == 2
    assert "slurm[0].cpu: found an unknown key" in unknown.stderr
    assert "Did you mean 'cpus'?" in unknown.stderr
    small = make_run("small", slurm=[{"hours": 1, "memory_gb": 1, "up_to_params_b": 1e-9}])
    if not missing_programs():
        unstaged = call("run", small, "--on", "slurm")
        assert unstaged.returncode == 2
        assert "study.lock.json: found no entry for" in unstaged.stderr
        assert call("stage", small).returncode == 0
        refused = call("run", small, "--on", "slurm")
        assert "slurm: found no entry for" in refused.stderr
        assert "larger `up_to_params_b`" in refused.stderr
        none = call("run", make_run("none"), "--on", "slurm")
        assert "slurm: found nothing; expected resources of a job" in none.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    absent = call("run", small, "--on", "slurm")
    assert absent.returncode == 2
    assert "sbatch: found no such command" in absent.stderr
    assert not (small / "results" / "slurm").exists()


def test_models_are_tuned_in_jobs_and_bases_read_what_they_wrote(
    on_cluster: Command, make_run: MakeRun
) -> None:
    """The base's cells wait for the tuned model's: the same command submits them once it is
    done."""
    folder = make_run(
        pairs=...,
        layout="zoo",
        tuning=TUNING,
        limit=10,
        draws=1,
        answers={"choose": "similarity", "tokens": 6, "writing_tokens": 60},
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
        arms=["base-2shot-fields", "tuned-0shot-chat-writes", "base-0shot-written"],
        contrasts=[{"name": "c", "x": "base-2shot-fields", "y": "base-0shot-written"}],
        slurm=[SMALL_JOB],
    )
    assert on_cluster("stage", folder).returncode == 0
    submit = ("run", folder, "--on", "slurm", "--device", "cpu")
    first = on_cluster(*submit)
    assert first.returncode == 0, first.stderr
    assert "1 cells need responses of tuned models" in first.stderr
    wait_until(folder, lambda rows: [row["done"] for row in rows] == [1, 1])
    second = on_cluster(*submit)
    assert second.returncode == 0, second.stderr
    wait_until(folder, all_done)
    rows = json.loads((folder / "results" / "plan.json").read_text())["rows"]
    assert "base-0shot-written" in {row["arm"] for row in rows}
    assert {row["key"] for row in rows} <= Run.open(folder).cells.done()
    assert "nothing to submit" in on_cluster(*submit).stderr
