"""Small finished runs, computed once for all test files that read them, by whichever comes first.

In: the name of a study in `runs`. Out: a run folder with results, tables and figures. Runs beside
each other in one folder, as in the repository; tests that change one work on a copy.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, SMALL, command_environment

COMMANDS = {"demo": ("run",), "limits-small": ("run",), "indicator-small": ("run",),
            "loss-small": ("tune", "run")}  # fmt: skip


def finished_run(factory: pytest.TempPathFactory, name: str) -> Path:
    """The finished run of that name; computed if no test process has done so yet."""
    shared = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    run = shared / "finished" / "runs" / name
    run.mkdir(parents=True, exist_ok=True)
    with (run.parent.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run / "finished").exists():
            _compute(run, name)
            (run / "finished").touch()
    return run


def _compute(run: Path, name: str) -> None:
    (run / "study.yaml").write_text(study_text(name))
    attempts = run / "network-attempts"
    for command in (*COMMANDS[name], "analyze"):
        device = ["--device", "cpu"] if command != "analyze" else []
        done = subprocess.run(
            ["study", command, str(run), *device],
            env=command_environment(attempts),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout or done.stderr
        assert not attempts.exists(), attempts.read_text()


def study_text(name: str) -> str:
    """The study file of a small run; that of the demo is cut down to two tasks and three pairs."""
    text = (ROOT / "runs" / name / "study.yaml").read_text()
    if name != "demo":
        return text
    small = {key: SMALL[key] for key in ("pairs", "tasks", "limit")}
    further = {"analysis": {"beside": ["bca", "fisher"]}}
    return yaml.safe_dump({**yaml.safe_load(text), **small, **further})


def copy_run(run: Path, folder: Path) -> Path:
    """A copy of a finished run in another folder of runs."""
    return Path(shutil.copytree(run, folder / run.name))
