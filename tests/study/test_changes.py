"""What changes under a half-finished run: named, with the cells that it touches, and undone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.planning.plan_study import planned, run_planned
from study.results.cell_store.store import Cells
from tests.conftest import Study, command_environment, tables
from tests.study.test_faults import CODE, TASK

MakeRun = Callable[..., Path]
SIZE = {"draws": 1, "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}]}
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def rewrite(run: Path, **changes: Any) -> None:
    path = run / "study.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def notes(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("note: ")]


def test_a_changed_study_file(make_run: MakeRun, study_command: Study) -> None:
    run = make_run(**SIZE)
    assert notes(study_command("run", run)) == []
    before, finished = tables(run), Cells(run).done()
    assert len(finished) == 6
    before_that = yaml.safe_load((run / "study.yaml").read_text())
    other = [{"name": "in-context", "x": "base-5shot", "y": "tuned-0shot"}]
    rewrite(run, limit=8, arms=["base-0shot", "base-5shot", "tuned-0shot"], contrasts=other)
    longer, dropped = notes(study_command("run", run))
    assert "4 finished cells no longer fit the study and are computed anew" in longer
    assert "this changed: limit (4 cells)" in longer
    assert "2 finished cells are not asked for any more" in dropped
    assert finished < Cells(run).done()
    rewrite(run, **before_that)
    undone = study_command("run", run)
    assert "computed, " not in undone.stderr
    assert tables(run) == before


@pytest.fixture
def own_task(make_run: MakeRun, tmp_path: Path) -> Path:
    """A run with a task whose data stand in a file of its own."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "code.py").write_text(CODE)
    (folder / "fine.yaml").write_text(TASK.format(name="fine"))
    return make_run(
        **{**SIZE, "limit": ...},
        arms=["base-0shot", "tuned-0shot"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}],
        tasks=[{"task": "fine", "task_type": "t", "metric": "acc", "chance": 0.5}],
        task_folders=[str(folder)],
    )


def change_data(run: Path) -> None:
    code = run.parent / "tasks" / "code.py"
    code.write_text(code.read_text().replace('["a", "b", "c"]', '["a", "b", "d"]'))


def test_changed_data(own_task: Path, study_command: Study) -> None:
    assert notes(study_command("run", own_task)) == []
    change_data(own_task)
    (note,) = notes(study_command("run", own_task))
    assert "this changed: the items of fine (2 cells)" in note
    assert len(Cells(own_task).done()) == 4


def test_data_that_change_between_planning_and_running(own_task: Path) -> None:
    """A job that waited in a queue does not score other items under the planned ones' key."""
    state = planned(own_task)
    change_data(own_task)
    failed = [event for event in run_planned(state, ["cpu"]) if event.kind == "failed"]
    assert len(failed) == 2
    assert all("the task's items changed since the study was planned" in e.reason for e in failed)
    assert not Cells(own_task).done()


def test_another_version_of_a_package(
    make_run: MakeRun, study_command: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by what Python itself says is installed."""
    run = make_run(**SIZE)
    assert study_command("run", run).returncode == 0
    before = tables(run)
    rewrite(run, draws=2)
    said = tmp_path / "site" / "lm_eval-9.9.dist-info"
    said.mkdir(parents=True)
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: lm_eval\nVersion: 9.9\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from study.cli.main import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(said.parent), "run", str(run)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (note,) = notes(done)
    assert "6 finished cells of 'llama-early-xs/base', 'llama-early-xs/tuned'" in note
    assert "lm_eval 0.4.13 (now 9.9)" in note
    assert "copy the study file to a new folder" in note
    rewrite(run, draws=1)
    assert study_command("run", run).returncode == 0
    assert tables(run) == before


@pytest.mark.slow
def test_clocks_that_jump(make_run: MakeRun, study_command: Study, tmp_path: Path) -> None:
    """A machine whose clock goes back and forth by years, while it runs and between runs."""
    if not FAKETIME.exists():
        pytest.skip("no libfaketime here (Debian: apt install faketime)")
    undisturbed, run = make_run("undisturbed", **SIZE), make_run("jumping", **SIZE)
    assert study_command("run", undisturbed).returncode == 0
    clock = tmp_path / "clock"
    environment = {
        **command_environment(tmp_path / "network-attempts"),
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    clock.write_text("-3y")
    stopped = subprocess.Popen(["study", "run", str(run)], env=environment,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    while not Cells(run).done():
        assert stopped.poll() is None
    clock.write_text("+5y")
    while len(Cells(run).done()) < 3:
        assert stopped.poll() is None
    stopped.terminate()
    stopped.communicate()
    clock.write_text("-1d")
    done = subprocess.run(["study", "run", str(run)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert tables(run) == tables(undisturbed)
