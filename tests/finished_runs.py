"""Finished runs of small studies, computed once for all test files that read them.

In: the name of a study. Out: a run folder with results, tables and figures. The folders are beside
each other, as in the repository. Tests that change one work on a copy.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from study.cli.app import app
from study.results.run import Run
from tests.conftest import ROOT, SMALL, command_environment
from tests.in_process import evaluate_all

NAMES = ("small", "demo", "limits-small", "indicator-small", "loss-small")
PROCESSES = {"demo": "run", "loss-small": "tune"}
"Commands that start worker processes; what remains then is evaluated in the process of the tests."
NOT_ANALYSED = {"small"}


def finished_run(factory: pytest.TempPathFactory, name: str) -> Path:
    """The finished run of that name; computed by the first test process that asks for it."""
    shared = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "finished" / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "finished").exists():
            _compute(folder, name)
            (folder / "finished").touch()
    return folder


def _compute(folder: Path, name: str) -> None:
    (folder / "study.yaml").write_text(study_text(name))
    if name in PROCESSES:
        attempts = folder / "network-attempts"
        result = subprocess.run(
            ["study", PROCESSES[name], str(folder), "--device", "cpu"],
            env=command_environment(attempts),
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout or result.stderr
        assert not attempts.exists(), attempts.read_text()
    evaluate_all(folder)
    if name not in NOT_ANALYSED:
        invoke("analyze", str(folder))


def invoke(*arguments: str) -> None:
    """Run `study …` in the process of the tests; it must succeed and print something."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.output


def study_text(name: str) -> str:
    """The study file of a small run; the demo is reduced to two tasks and three pairs, the study
    of limits to two contrasts."""
    if name == "small":
        return yaml.safe_dump(SMALL)
    text = (ROOT / "runs" / name / "study.yaml").read_text()
    if name == "limits-small":
        # The analysis does the same for every contrast.
        content = yaml.safe_load(text)
        return yaml.safe_dump({**content, "contrasts": content["contrasts"][:2]})
    if name != "demo":
        return text
    small = {key: SMALL[key] for key in ("pairs", "tasks", "limit")}
    further = {"analysis": {"beside": ["bca", "fisher"]}}
    return yaml.safe_dump({**yaml.safe_load(text), **small, **further})


def copy_run(run: Path, folder: Path) -> Path:
    """Copy a finished run into another folder of runs."""
    return Path(shutil.copytree(run, folder / run.name))


def remove_cell(run: Run, key: str) -> None:
    """Remove a cell with its responses, so that it must be evaluated again."""
    run.responses.remove(run.cells.record(key)["responses"])
    run.cells.remove(key)
