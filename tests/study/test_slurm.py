"""Studies on a Slurm cluster, which is started here: two nodes, killed and cut off on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.config.executors import JobResources
from study.results.cell_store.store import Cells
from study.running.executors.slurm.executor import sbatch_parameters
from tests.conftest import ROOT, command_environment, tables
from tests.study.slurm_cluster import Cluster, lacking
from tests.study.test_faults import CODE, TASK
from tests.study.test_forms import TUNED

MakeRun = Callable[..., Path]
Command = Callable[..., subprocess.CompletedProcess[str]]
SMALL_JOB = {"hours": 1, "memory_gb": 2, "cpus": 1, "gpus": 1}
DEMO = {
    **yaml.safe_load((ROOT / "runs" / "demo" / "study.yaml").read_text()),
    "pairs": [{"source": "zoo", "pair": ["llama-early-xs", "neox-late-xs", "olmo2-late-s"]}],
    "limit": 80,
    "slurm": [{**SMALL_JOB, "up_to_params_b": 0.00005}, SMALL_JOB],
}


@pytest.fixture
def on_cluster(cluster: Cluster, tmp_path: Path) -> Iterator[Command]:
    """`study …` on the cluster's machine; fails if anything of it, on any node, tried the
    network."""
    attempts = tmp_path / "network-attempts"
    environment = {**cluster.environment(), **command_environment(attempts)}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["study", *map(str, arguments)], env=environment,
                              capture_output=True, text=True, timeout=300)  # fmt: skip

    yield run
    assert not attempts.exists(), attempts.read_text()


def statuses(study: Command, run: Path) -> dict[str, dict[str, Any]]:
    done = study("status", run, "--json")
    assert done.returncode == 0, done.stderr
    return {row["model"]: row for row in json.loads(done.stdout)}


def wait(study: Command, run: Path, until: Callable[[list[dict[str, Any]]], bool]) -> Any:
    """Until the statuses are so; a Slurm that does not answer is asked again."""
    deadline = time.monotonic() + 400
    while True:
        done = study("status", run, "--json")
        rows = json.loads(done.stdout) if done.returncode == 0 else []
        if rows and until(rows):
            return {row["model"]: row for row in rows}
        assert time.monotonic() < deadline, (rows, done.stderr)
        time.sleep(0.5)


def running(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["state"] == "runs" and 0 < row["done"] < row["cells"]]


def all_done(rows: list[dict[str, Any]]) -> bool:
    return all(row["state"] == "done" for row in rows)


def at_rest(rows: list[dict[str, Any]]) -> bool:
    held = [row for row in rows if "lets it go again" in row["why"]]
    return not any(row["state"] in ("waits", "runs") for row in rows if row not in held)


def logged(run: Path, text: str) -> None:
    """Waits until a job's log says it."""
    deadline = time.monotonic() + 60
    while not any(text in log.read_text() for log in run.glob("results/slurm/*/*_log.*")):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def workers() -> list[int]:
    """Worker processes of Slurm jobs."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, environ = ((folder / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if b"spawn_main" in line and b"SLURMD_NODENAME=" in environ:
            found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_the_demo_study_through_all_that_befalls_a_cluster(
    cluster: Cluster, on_cluster: Command, make_run: MakeRun
) -> None:
    undisturbed = make_run("undisturbed", **DEMO)
    assert on_cluster("run", undisturbed).returncode == 0
    run = make_run("run", **DEMO)
    unstaged = on_cluster("run", run, "--on", "slurm")
    assert unstaged.returncode == 2
    assert "study.lock.json: found nothing of" in unstaged.stderr
    assert on_cluster("stage", run).returncode == 0
    examined = on_cluster("doctor", run, "--on", "slurm")
    assert examined.returncode == 0, examined.stdout
    begun = on_cluster("run", run, "--on", "slurm", "--device", "cpu")
    assert begun.returncode == 0, begun.stderr
    assert begun.stderr.count("models submitted as") == 2
    again = on_cluster("run", run, "--on", "slurm", "--device", "cpu")
    assert "models are in Slurm's queue already" in again.stderr
    assert "nothing to submit" in again.stderr

    # A worker is killed: its job goes on with another.
    wait(on_cluster, run, lambda rows: bool(running(rows)))
    os.kill(workers()[0], signal.SIGKILL)
    # The controller dies and comes back: nobody is answered meanwhile, jobs run on.
    cluster.kill("slurmctld")
    refused = on_cluster("status", run)
    assert refused.returncode == 2
    assert "expected Slurm to answer" in refused.stderr
    cluster.start_controller()
    # A job is told that its time is over, as Slurm tells it: it is queued again, and goes on.
    (first, *_) = running(list(wait(on_cluster, run, lambda rows: bool(running(rows))).values()))
    cluster.ask("scancel", "--batch", "--signal=USR2", first["where"].removeprefix("slurm "))
    logged(run, "Requeued job")
    # A node loses its power in the midst of a job, and the other its daemon only.
    rows = wait(on_cluster, run, lambda rows: bool(running(rows)))
    (lost, *_) = running(list(rows.values()))
    node = lost["why"]
    (other,) = {"n1", "n2"} - {node}
    cluster.crash(node)
    cluster.kill(other)
    cluster.start_node(other)
    wait(on_cluster, run, lambda rows: any(
        row["model"] == lost["model"] and (row["state"], row["why"]) != ("runs", node)
        for row in rows))  # fmt: skip
    cluster.start_node(node)

    # What Slurm itself lost, having been killed, the same command submits again.
    rows = wait(on_cluster, run, at_rest)
    if not all_done(list(rows.values())):
        for each in ("n1", "n2"):  # a node on which a job failed to start is taken out of service
            cluster.ask("scontrol", "update", f"nodename={each}", "state=resume")
        assert on_cluster("run", run, "--on", "slurm", "--device", "cpu").returncode == 0
        wait(on_cluster, run, all_done)
    assert tables(run) == tables(undisturbed)
    assert Cells(run).done() == Cells(undisturbed).done()
    logged(run, "killed by SIGKILL")
    assert {Cells(run).record(key)["provenance"]["hardware"]["device"]
            for key in Cells(run).done()} == {"cpu"}  # fmt: skip
    over = on_cluster("run", run, "--on", "slurm")
    assert over.returncode == 0
    assert "nothing to submit" in over.stderr


def test_what_slurm_gives_is_what_was_asked_or_the_job_ends(
    on_cluster: Command, make_run: MakeRun
) -> None:
    """The cluster's GPUs are none: a job that is to compute on one says so, and computes on
    nothing else."""
    run = make_run(slurm=[SMALL_JOB], pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}])
    assert on_cluster("stage", run).returncode == 0
    assert on_cluster("run", run, "--on", "slurm").returncode == 0
    rows = wait(on_cluster, run, lambda rows: all(row["state"] == "failed" for row in rows))
    assert all("found 0 GPUs that torch can use; expected 1" in row["why"] for row in rows.values())
    assert not Cells(run).done()
    text = on_cluster("status", run).stdout
    assert "2 models: 0 done, 0 running, 0 waiting, 2 failed; 0 of 8 cells done" in text
    for row in rows.values():
        assert Path(row["log"]).read_text().strip().endswith(row["last_line"])
        assert f"{row['log']}: {row['last_line']}" in text


def test_cancelled_jobs_leave_the_queue_and_can_be_submitted_again(
    cluster: Cluster, on_cluster: Command, make_run: MakeRun
) -> None:
    resources = {**SMALL_JOB, "gpus": 0, "setup": ["export MARK=set-up", "echo $MARK >&2"]}
    run = make_run(slurm=[resources], pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}])
    assert on_cluster("stage", run).returncode == 0
    assert on_cluster("run", run, "--on", "slurm").returncode == 0
    wait(on_cluster, run, lambda rows: any(row["state"] == "runs" for row in rows))
    stopped = on_cluster("cancel", run)
    assert stopped.returncode == 0
    assert "models taken out of Slurm's queue" in stopped.stderr
    cluster.wait_for("squeue", "-h", answer="")
    after = statuses(on_cluster, run)
    assert {row["state"] for row in after.values()} <= {"waits", "failed", "done"}
    assert on_cluster("cancel", run).stderr.startswith("nothing to cancel")
    again = on_cluster("run", run, "--on", "slurm")
    left = sum(row["state"] != "done" for row in after.values())
    assert f"{left} models submitted as" in again.stderr
    wait(on_cluster, run, all_done)
    logged(run, "set-up")


def test_resources_that_slurm_refuses_are_one_error(
    cluster: Cluster, on_cluster: Command, make_run: MakeRun
) -> None:
    run = make_run(slurm=[{**SMALL_JOB, "partition": "nowhere"}])
    assert on_cluster("stage", run).returncode == 0
    examined = on_cluster("doctor", run, "--on", "slurm")
    assert examined.returncode == 1
    assert "wrong  Slurm takes the resources: slurm[0]: " in examined.stdout
    assert "invalid partition" in examined.stdout
    refused = on_cluster("run", run, "--on", "slurm")
    assert refused.returncode == 2
    assert "study.yaml: slurm[0]: found" in refused.stderr
    assert "invalid partition" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list(run.glob("results/slurm/*"))


@pytest.mark.slow
def test_jobs_that_run_out_of_time(
    cluster: Cluster, on_cluster: Command, make_run: MakeRun, tmp_path: Path
) -> None:
    """Of a minute: one whose cells take most of that goes on, one that hangs is set aside."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    slow = CODE + "\n\ndef tardy(doc, results):\n    time.sleep(2)\n    return {'acc': 1.0}\n"
    (folder / "code.py").write_text(slow)
    listed = {"task_type": "t", "metric": "acc", "chance": 0.5}
    minute = {**SMALL_JOB, "gpus": 0, "hours": 1 / 60}
    runs = {}
    for name in ("tardy", "endless"):
        tasks = [f"{name}{i}" for i in range(4)]
        for task in tasks:
            (folder / f"{task}.yaml").write_text(
                TASK.format(name=name).replace(f"task: {name}", f"task: {task}")
            )
        runs[name] = make_run(
            name,
            pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}],
            arms=["base-0shot", "tuned-0shot"],
            contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}],
            tasks=[{"task": task, **listed} for task in tasks],
            task_folders=[str(folder)],
            slurm=[minute],
        )
        assert on_cluster("stage", runs[name]).returncode == 0
        assert on_cluster("run", runs[name], "--on", "slurm").returncode == 0
    wait(on_cluster, runs["tardy"], all_done)
    logged(runs["tardy"], "Requeued job")
    rows = wait(on_cluster, runs["endless"], lambda rows: all(r["state"] == "failed" for r in rows))
    assert all("were not enough for one cell; set aside" in row["why"] for row in rows.values())


def test_every_resource_reaches_slurm(cluster: Cluster, tmp_path: Path) -> None:
    """In the script that submitit writes of them, which Slurm is given."""
    from submitit import SlurmExecutor

    resources = JobResources(
        hours=2.5, memory_gb=3, cpus=5, gpus=2, at_once=7, partition="p", account="a", qos="q",
        constraint="h100", setup=["module load cuda"],
    )  # fmt: skip
    executor = SlurmExecutor(tmp_path)
    executor.update_parameters(**sbatch_parameters("name", resources))
    executor.parameters["map_count"] = 40  # as submitit sets it for an array
    script = executor._make_submission_file_text("the job", "1")
    flags = {line.removeprefix("#SBATCH --") for line in script.splitlines()}
    assert flags >= {
        "job-name=name", "time=150", "mem=3000M", "cpus-per-task=5", "gpus-per-node=2",
        "array=0-39%7", "partition=p", "account=a", "qos=q", "constraint=h100", "requeue",
        "signal=B:USR2@90", "module load cuda", "the job",
    }  # fmt: skip


def test_without_resources_or_slurm_there_is_one_error(
    make_run: MakeRun, study_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(slurm=[{"hours": 1, "memory_gb": 1, "cpu": 2}])
    unknown = study_command("plan", run)
    assert unknown.returncode == 2
    assert "slurm[0].cpu: found an unknown key" in unknown.stderr
    assert "Did you mean 'cpus'?" in unknown.stderr
    small = make_run("small", slurm=[{"hours": 1, "memory_gb": 1, "up_to_params_b": 1e-9}])
    if not lacking():
        assert study_command("stage", small).returncode == 0
        refused = study_command("run", small, "--on", "slurm")
        assert "slurm: found no entry for" in refused.stderr
        assert "larger `up_to_params_b`" in refused.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    none = study_command("run", small, "--on", "slurm")
    assert none.returncode == 2
    assert "sbatch: found no such command" in none.stderr
    assert not (small / "results" / "slurm").exists()


def test_models_are_tuned_in_jobs_and_bases_read_what_they_wrote(
    on_cluster: Command, make_run: MakeRun
) -> None:
    """The base's cells wait for the tuned model's: the same command submits them, once it is
    done."""
    run = make_run(
        pairs=..., layout="zoo", tuning=TUNED, limit=10, draws=1,
        answers={"choose": "similarity", "tokens": 6, "writing_tokens": 60},
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
        arms=["base-2shot-fields", "tuned-0shot-chat-writes", "base-0shot-written"],
        contrasts=[{"name": "c", "x": "base-2shot-fields", "y": "base-0shot-written"}],
        slurm=[SMALL_JOB],
    )  # fmt: skip
    assert on_cluster("stage", run).returncode == 0
    submit = ("run", run, "--on", "slurm", "--device", "cpu")
    first = on_cluster(*submit)
    assert first.returncode == 0, first.stderr
    assert "1 cells need what tuned models will write" in first.stderr
    wait(on_cluster, run, lambda rows: [row["done"] for row in rows] == [1, 1])
    second = on_cluster(*submit)
    assert second.returncode == 0, second.stderr
    wait(on_cluster, run, all_done)
    rows = json.loads((run / "results" / "plan.json").read_text())["rows"]
    assert "base-0shot-written" in {row["arm"] for row in rows}
    assert {row["key"] for row in rows} <= Cells(run).done()
    assert "nothing to submit" in on_cluster(*submit).stderr
