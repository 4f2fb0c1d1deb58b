"""Everything that happens to a cluster during a run: workers, controller, nodes and daemons are
killed, jobs reach their time limit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml

from study.results.run import Run
from tests.cluster import NODES, Cluster
from tests.conftest import ROOT, MakeRun, tables
from tests.study.running.executors.slurm.cluster_runs import (
    SMALL_JOB,
    Statuses,
    all_done,
    all_failed,
    running,
    wait_for_log,
    wait_until,
)
from tests.study.running.executors.slurm.conftest import Command
from tests.study.task_files import write_tasks

DEMO = {
    **yaml.safe_load((ROOT / "runs" / "demo" / "study.yaml").read_text()),
    "pairs": [{"source": "zoo", "pair": ["llama-early-xs", "neox-late-xs", "olmo2-late-s"]}],
    "limit": 80,
    "slurm": [{**SMALL_JOB, "up_to_params_b": 0.00005}, SMALL_JOB],
}

pytestmark = pytest.mark.slow


def at_rest(rows: Statuses) -> bool:
    """Whether nothing waits or runs, except what is held until it is released."""
    held = [row for row in rows if "releases it" in row["why"]]
    return not any(row["state"] in ("waits", "runs") for row in rows if row not in held)


def worker_pids() -> list[int]:
    """Worker processes of Slurm jobs."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, environ = ((folder / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if b"spawn_main" in line and b"SLURMD_NODENAME=" in environ:
            pids.append(int(folder.name))
    return pids


def test_the_demo_study_on_a_cluster_that_fails_in_every_way(
    cluster: Cluster, on_cluster: Command, make_run: MakeRun
) -> None:
    undisturbed = make_run("undisturbed", **DEMO)
    assert on_cluster("run", undisturbed).returncode == 0
    folder = make_run("run", **DEMO)
    unstaged = on_cluster("run", folder, "--on", "slurm")
    assert unstaged.returncode == 2
    assert "study.lock.json: found no entry for" in unstaged.stderr
    assert on_cluster("stage", folder).returncode == 0
    examined = on_cluster("doctor", folder, "--on", "slurm")
    assert examined.returncode == 0, examined.stdout
    submit = ("run", folder, "--on", "slurm", "--device", "cpu")
    submitted = on_cluster(*submit)
    assert submitted.returncode == 0, submitted.stderr
    assert submitted.stderr.count("models submitted as") == 2
    again = on_cluster(*submit)
    assert "models are already in the queue" in again.stderr
    assert "nothing to submit" in again.stderr

    # A worker is killed: its job continues with another.
    wait_until(folder, lambda rows: bool(running(rows)))
    os.kill(worker_pids()[0], signal.SIGKILL)
    # The controller dies and comes back: it does not answer meanwhile, jobs continue.
    cluster.kill("slurmctld")
    refused = on_cluster("status", folder)
    assert refused.returncode == 2
    assert "expected an answer from Slurm" in refused.stderr
    cluster.start_controller()
    # A job is notified of its time limit, as Slurm does it: it is requeued, and resumes.
    (first, *_) = running(list(wait_until(folder, lambda rows: bool(running(rows))).values()))
    cluster.call("scancel", "--batch", "--signal=USR2", first["where"].removeprefix("slurm "))
    wait_for_log(folder, "Requeued job")
    # A node loses its power during a job, and the other its daemon only.
    rows = wait_until(folder, lambda rows: bool(running(rows)))
    (lost, *_) = running(list(rows.values()))
    node = lost["why"]
    (other,) = set(NODES) - {node}
    cluster.crash(node)
    cluster.kill(other)
    cluster.start_node(other)
    wait_until(
        folder,
        lambda rows: any(
            row["model"] == lost["model"] and (row["state"], row["why"]) != ("runs", node)
            for row in rows
        ),
    )
    cluster.start_node(node)

    # What Slurm itself lost when it was killed is submitted again by the same command.
    rows = wait_until(folder, at_rest)
    if not all_done(list(rows.values())):
        for each in NODES:  # a node on which a job failed to start is taken out of service
            cluster.call("scontrol", "update", f"nodename={each}", "state=resume")
        assert on_cluster(*submit).returncode == 0
        wait_until(folder, all_done)
    cells = Run.open(folder).cells
    assert tables(folder) == tables(undisturbed)
    assert cells.done() == Run.open(undisturbed).cells.done()
    wait_for_log(folder, "killed by SIGKILL")
    records = [cells.record(key) for key in cells.done()]
    assert {record["provenance"]["hardware"]["device"] for record in records} == {"cpu"}
    last = on_cluster("run", folder, "--on", "slurm")
    assert last.returncode == 0
    assert "nothing to submit" in last.stderr


def test_jobs_that_reach_their_time_limit(
    on_cluster: Command, make_run: MakeRun, tmp_path: Path
) -> None:
    """Of two minutes, of which Slurm may take one back: a job that needs more resumes, one that
    hangs is set aside."""
    resources = {**SMALL_JOB, "gpus": 0, "hours": 2 / 60}
    folders = {}
    for function in ("slow", "hang"):
        changes = write_tasks(tmp_path / f"{function}-tasks", [function], copies=20)
        changes["arms"] = ["base-0shot", "base-1shot"]
        changes["contrasts"] = [{"name": "c", "x": "base-1shot", "y": "base-0shot"}]
        folders[function] = make_run(function, **changes, draws=1, slurm=[resources])
        assert on_cluster("stage", folders[function]).returncode == 0
        assert on_cluster("run", folders[function], "--on", "slurm").returncode == 0
    wait_until(folders["slow"], all_done)
    wait_for_log(folders["slow"], "Requeued job")
    rows = wait_until(folders["hang"], all_failed)
    assert all(
        "no cell finished in 2 × 0.0333333 hours; set aside" in row["why"] for row in rows.values()
    )
