"""Studies on this machine's workers, disturbed in every way; then the same command ends them with
the tables of an undisturbed run."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.run import Run
from study.running.events import Event
from study.running.executors.local import LocalExecutor
from study.running.job_states import RunnerProcess, record
from tests.conftest import MakeRun, tables, write_study
from tests.in_process import evaluate, evaluate_all
from tests.study.commands import call
from tests.study.running.conftest import StartRun
from tests.study.running.local_runs import (
    LONGER,
    LONGER_CELLS,
    run_locally,
    wait_for_cells,
    worker_pids,
)

COLUMNS = ["item", "prompt_hash", "shots", "truncated", "tokens", "texts"]
"Columns of responses that do not depend on how requests were batched."


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The longer study, evaluated without a worker process."""
    return evaluate_all(write_study(tmp_path_factory.mktemp("undisturbed") / "run", **LONGER))


@pytest.fixture(scope="module")
def expected(undisturbed: Run) -> dict[str, bytes]:
    """Its tables."""
    return tables(undisturbed.folder)


def test_killed_workers_are_replaced_and_their_models_retried(
    make_run: MakeRun, undisturbed: Run, expected: dict[str, bytes]
) -> None:
    """Two workers of one run are killed, at different moments; the cells are those of one
    process."""
    folder = make_run(**LONGER)
    rng = random.Random(5)
    moments = [rng.randrange(1, 10), rng.randrange(20, 30)]

    def kill(event: Event) -> None:
        if moments and len(Run.open(folder).cells.done()) >= moments[0]:
            moments.pop(0)
            workers = [child.pid for child in multiprocessing.active_children() if child.pid]
            os.kill(rng.choice(workers), signal.SIGKILL)

    result = run_locally(folder, devices=["cpu", "cpu"], watch=kill)
    assert result.failures == []
    assert not moments
    retries = [message for message in result.messages if message.startswith("retried: ")]
    assert 1 <= len(retries) <= 2
    assert all("killed by SIGKILL" in line and "half the tokens" in line for line in retries)
    ours = Run.open(folder)
    assert ours.cells.done() == undisturbed.cells.done()
    assert len(ours.cells.done()) == LONGER_CELLS
    for key in ours.cells.done():
        assert ours.cells.items(key) == undisturbed.cells.items(key)
        responses = ours.cells.record(key)["responses"]
        rows = ours.responses.items(responses, COLUMNS)
        assert rows == undisturbed.responses.items(responses, COLUMNS)
    assert tables(folder) == expected
    assert not multiprocessing.active_children()


def test_a_run_is_seen_cancelled_and_resumed(
    make_run: MakeRun, start_run: StartRun, expected: dict[str, bytes]
) -> None:
    """`study cancel` sends SIGTERM, which is a clean stop."""
    folder = make_run(**LONGER)
    before = call("status", folder)
    assert before.returncode == 2
    assert "found no results" in before.stderr
    process: subprocess.Popen[str] = start_run(folder)
    wait_for_cells(folder, 8, process)

    def statuses() -> list[dict[str, object]]:
        result = call("status", folder, "--json")
        assert result.returncode == 0, result.stderr
        return list(json.loads(result.stdout))

    during = statuses()
    running = [row for row in during if row["state"] == "runs"]
    assert 1 <= len(running) <= 2
    assert all(f"process {process.pid}" in str(row["where"]) for row in running)
    assert sum(int(str(row["done"])) for row in during) >= 8
    assert any(row["state"] == "waits" for row in during)
    workers = worker_pids(process)
    assert workers
    cancelled = time.monotonic()
    result = call("cancel", folder)
    assert result.stderr.splitlines()[1:] == [f"sent SIGTERM to process {process.pid}"]
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - cancelled < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.splitlines()[-1] == "interrupted; run the same command again to resume"
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    after = statuses()
    assert {row["state"] for row in after} <= {"waits", "done"}
    assert any(row["why"] == "the run was interrupted" for row in after)
    assert call("cancel", folder).stderr.splitlines()[1].startswith("nothing to cancel")
    evaluate_all(folder)
    assert tables(folder) == expected
    text = call("status", folder).stdout
    assert f"6 models: 6 done, 0 running, 0 waiting, 0 failed; {LONGER_CELLS} of" in text


def test_two_runs_at_once_share_the_work(
    make_run: MakeRun, start_run: StartRun, expected: dict[str, bytes]
) -> None:
    folder = make_run(**LONGER)
    other = start_run(folder, "--device", "cpu")
    wait_for_cells(folder, 1, other)
    events = evaluate(folder)
    _, errors = other.communicate(timeout=300)
    assert other.returncode == 0, errors
    assert not [event for event in events if event.kind == "failed"]
    computed = sum(event.kind == "cell" and event.items > 0 for event in events)
    assert 0 < computed < LONGER_CELLS
    assert len(Run.open(folder).cells.done()) == LONGER_CELLS
    assert tables(folder) == expected


def test_state_and_cancel_leave_out_what_does_not_run_here(make_run: MakeRun) -> None:
    run = Run.open(make_run())
    executor = LocalExecutor(run)
    record(run.results, "queued", "running", queue_job="slurm 1_2")
    record(run.results, "finished", "done")
    path = run.results / "jobs" / "remote.json"
    here = RunnerProcess.current()
    for name, host, pid, born in (
        ("remote", "elsewhere", 7, 7),
        ("ended", here.host, here.pid, here.born - 1),
    ):
        runner = {"host": host, "pid": pid, "born": born}
        content = {"model": name, "state": "running", "runner": runner, "at": 0.0, "failures": []}
        path.with_stem(name).write_text(json.dumps(content))
    (model,) = executor.state()
    assert model == "remote"
    assert executor.state()[model].where == "elsewhere, process 7"
    assert executor.state()[model].reason.startswith("since 19")
    assert list(executor.cancel()) == ["process 7 may still run on elsewhere; cancel it there"]


def test_devices_are_those_given(make_run: MakeRun) -> None:
    run = Run.open(make_run())
    assert LocalExecutor(run, ["cpu", "cpu"]).own_devices == ["cpu", "cpu"]
    with pytest.raises(StudyError, match="--device: found 'cuda:98'"):
        LocalExecutor(run, ["cuda:98"])
    assert LocalExecutor(run, ["cpu"]).speed().device.startswith("cpu")
    assert len(LocalExecutor(run).own_devices) >= 1
