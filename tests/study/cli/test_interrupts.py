"""Ctrl-C at any moment: one message, exit code 130, no process left.

A terminal sends SIGINT to every process of its foreground group, workers that are just starting
included; so do these tests.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from study.fact_cache import LOCATION
from tests.conftest import MakeRun, command_environment
from tests.study.running.test_kills import processes_of, wait_for_end

MESSAGE = "interrupted; run the same command again to resume"


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "study.cli", "run", str(folder)],
        env={**command_environment(folder / "network-attempts"), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def interrupted(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Interrupt the group of a command, and check how it ends."""
    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    wait_for_end(process.pid, 20)
    errors = "".join(lines) + rest
    assert process.returncode == 130, errors
    own = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert own[-1] == MESSAGE
    assert "Traceback" not in errors
    assert "KeyboardInterrupt" not in errors


def imported(module: str) -> Callable[[str], bool]:
    return lambda line: line.startswith("import time:") and line.split("|")[-1].strip() == module


def says(text: str) -> Callable[[str], bool]:
    return lambda line: text in line


@pytest.mark.parametrize(
    ("moment", "environment"),
    [
        (imported("rich.console"), {"PYTHONPROFILEIMPORTTIME": "1"}),
        (imported("pyarrow.lib"), {"PYTHONPROFILEIMPORTTIME": "1"}),
        # Without a cache of facts: with one, a plan imports none of them.
        (imported("datasets.utils"), {"PYTHONPROFILEIMPORTTIME": "1", LOCATION: "/dev/null"}),
        (says("reading the items of"), {}),
        (says(": 24 remaining"), {}),
    ],
    ids=["commands", "libraries", "heavy-libraries", "planning", "workers-start"],
)
def test_ctrl_c(
    moment: Callable[[str], bool], environment: dict[str, str], make_run: MakeRun
) -> None:
    process = start(make_run(), environment)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if moment(line):
            break
    else:
        pytest.fail("".join(lines))
    if "remaining" in lines[-1]:
        wait_for_worker(process)
    interrupted(process, lines)


def wait_for_worker(process: subprocess.Popen[str]) -> None:
    """Wait until the process of a worker exists, which then imports what it needs."""
    deadline = time.monotonic() + 60
    while not any(b"spawn_main" in line for line in processes_of(process.pid).values()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)


@pytest.mark.slow
def test_ctrl_c_at_random_moments(make_run: MakeRun) -> None:
    folder = make_run(limit=400)
    rng = random.Random(14)
    for _ in range(30):
        process = start(folder, {})
        time.sleep(rng.uniform(0.5, 20))
        if process.poll() is not None:
            assert process.returncode == 0, process.communicate()[1]
            break
        interrupted(process, [])
        assert not processes_of(process.pid)
