"""Runs pytest on a copy of the project, in a fork, which finds libraries already imported.

In: the folder of the copy, test files. Out: an `Outcome`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from study.processes import end_with_parent
from tests.mutants.selection import DESELECTED

PROJECT = ("study", "analysis", "tests", "benchmarks")
PRELOADED = [
    "datasets",
    "hypothesis",
    "lm_eval.api.task",
    "lm_eval.tasks",
    "matplotlib.pyplot",
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "scipy.stats",
    "statsmodels.api",
    "threadpoolctl",
    "torch",
    "transformers",
    "yaml",
]
"Modules that forks find already imported; those of the project must be imported in the fork."
UNUSED_PLUGINS = ("cacheprovider", "anyio", "xdist", "unraisableexception")
PASSED, FAILED, CRASHED, TIMED_OUT = 0, 1, -1, -2
NOTHING_SELECTED = 5


@dataclass(frozen=True)
class Outcome:
    """How a run of tests ended."""

    code: int
    "`PASSED`, `FAILED` (then `by` names a test), `CRASHED`, `TIMED_OUT`, or an error of pytest."
    by: str
    "The first test that failed, or what happened to the process."
    seconds: float


def preload() -> None:
    """Import the libraries that most tests need, and leave them out of garbage collection."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def run_tests(folder: Path, tests: Sequence[str], timeout: float) -> Outcome:
    """Run tests of a copy of the project until one fails."""
    started = time.monotonic()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            end_with_parent()
            os.setsid()
            os.close(read)
            os.write(write, json.dumps(_pytest(folder, tests)).encode())
        finally:
            os._exit(0)
    os.close(write)
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() - started > timeout:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(read)
            return Outcome(TIMED_OUT, f"no end within {timeout:.0f} s", timeout)
        time.sleep(0.05)
    with os.fdopen(read) as pipe:
        message = pipe.read()
    code, by = json.loads(message) if message else (CRASHED, "the test process ended")
    return Outcome(code, by, time.monotonic() - started)


def _pytest(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run pytest in this process: (exit code, first failure)."""
    for name in [name for name in sys.modules if name.split(".")[0] in PROJECT]:
        del sys.modules[name]
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry not in ("", os.getcwd()))]
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    failures: list[str] = []

    class Recorder:
        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed:
                failures.append(report.nodeid)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                failures.append(f"{report.nodeid} cannot be imported")

    options = ["-x", f"--basetemp={folder.with_name(f'{folder.name}-tmp')}"]
    options += [f"-pno:{plugin}" for plugin in UNUSED_PLUGINS]
    options += [f"--deselect={test}" for test in DESELECTED]
    code = int(pytest.main([*options, *tests], plugins=[Recorder()]))
    if failures:
        return FAILED, failures[0]
    return (PASSED, "") if code == NOTHING_SELECTED else (code, f"pytest ended with {code}")
