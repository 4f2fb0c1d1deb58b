"""Runs in processes of their own, in which connections are refused as in the tests' process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.results.run import Run
from tests.conftest import GUARD, ROOT, MakeRun, command_environment
from tests.finished_runs import copy_run, finished_run
from tests.study.task_files import write_tasks

StartRun = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def guarded_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes that a test starts refuse connections too."""
    monkeypatch.setenv("PYTHONPATH", f"{GUARD}{os.pathsep}{ROOT}")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished small study; not to be changed."""
    return Run.open(finished_run(tmp_path_factory, "small"))


@pytest.fixture
def copied(small: Run, tmp_path: Path) -> Run:
    """A copy of the finished run."""
    return Run.open(copy_run(small.folder, tmp_path))


@pytest.fixture
def task_run(make_run: MakeRun, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a run of two models on two tasks: a harmless one, and one scored by that function."""
    return lambda function: make_run(
        **write_tasks(tmp_path / "tasks", dict.fromkeys(["fine", function]))
    )


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[StartRun]:
    """Starts `study run …` in the background; ends what still runs after the test."""
    started: list[subprocess.Popen[str]] = []
    attempts = tmp_path / "network-attempts"

    def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["study", "run", str(folder), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=command_environment(attempts),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    assert not attempts.exists(), attempts.read_text()
