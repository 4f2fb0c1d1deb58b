"""What is told of a run on this machine while it goes on, and stopping it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.results.cell_store.store import Cells
from study.running.job_states import Runner
from tests.conftest import Study
from tests.study.test_faults import LONGER, begin, run_of, wait_for_cells

__all__ = ["begin", "run_of"]
MakeRun = Callable[..., Path]


def rows(study: Study, run: Path) -> dict[str, dict[str, Any]]:
    done = study("status", run, "--json")
    assert done.returncode == 0, done.stderr
    return {row["model"]: row for row in json.loads(done.stdout)}


def test_a_run_is_seen_stopped_and_continued(
    make_run: MakeRun, begin: Any, study_command: Study
) -> None:
    run = make_run(**{**LONGER, "tasks": {"suite": "zoo_mc"}})
    before = study_command("status", run)
    assert before.returncode == 2
    assert "found no results" in before.stderr
    process: subprocess.Popen[str] = begin(run)
    wait_for_cells(run, 8, process)
    seen = rows(study_command, run)
    running = [row for row in seen.values() if row["state"] == "runs"]
    assert 1 <= len(running) <= 2
    assert all(f"process {process.pid}" in row["where"] for row in running)
    assert sum(row["done"] for row in seen.values()) >= 8
    assert any(row["state"] == "waits" for row in seen.values())
    stopped = study_command("cancel", run)
    assert stopped.stderr == f"process {process.pid} asked to end\n"
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert said.splitlines()[-1] == "stopped; the same command continues"
    after = rows(study_command, run)
    assert {row["state"] for row in after.values()} <= {"waits", "done"}
    assert any(row["why"] == "the run was stopped" for row in after.values())
    assert study_command("cancel", run).stderr.startswith("nothing to cancel")
    assert study_command("run", run).returncode == 0
    over = study_command("status", run).stdout
    assert f"6 models: 6 done, 0 running, 0 waiting, 0 failed; {len(Cells(run).done())} of" in over


def test_a_failed_model_is_shown_with_its_logs_last_line(
    run_of: Callable[[str], Path], study_command: Study
) -> None:
    run = run_of("deadly")
    assert study_command("run", run, "--device", "cpu").returncode == 1
    for model, row in rows(study_command, run).items():
        assert row["state"] == "failed"
        assert (row["done"], row["cells"]) == (1, 2)
        assert "killed by SIGSEGV, twice; set aside" in row["why"]
        log = run / "results" / "logs" / f"{model.replace('/', '-')}.log"
        assert row["log"] == str(log)
        assert log.read_text().rstrip().endswith(row["last_line"])


def test_another_process_of_the_same_number_is_no_runner() -> None:
    this = Runner.this_process()
    assert this.pid == os.getpid()
    assert this.alive() is True
    assert Runner(this.host, this.pid, this.born - 1).alive() is False
    assert Runner("elsewhere", this.pid, this.born).alive() is None
    child = subprocess.Popen(["sleep", "0"])
    child.wait()
    assert Runner(this.host, child.pid, 0).alive() is False
