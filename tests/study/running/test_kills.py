"""kill -9 of the runner, of its workers, of the shell that started it, or of all at once, at random
moments: while it plans, loads, computes, or writes a cell's files. The same command resumes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from study.results.run import Run
from tests.conftest import MakeRun, command_environment, tables
from tests.study.commands import call

VICTIMS = ("runner", "worker", "shell", "all")
MARKS = {"runner": b"/study\0run", "worker": b"spawn_main", "shell": b"-c\0"}


def processes_of(group: int) -> dict[int, bytes]:
    """By process number, the command line of each living process of a group."""
    lines = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            if after_name[0] != "Z" and int(after_name[2]) == group:
                lines[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:
            continue
    return lines


def victims(group: int, kind: str) -> list[int]:
    """The processes of a group to kill."""
    lines = processes_of(group)
    if kind == "all":
        return list(lines)
    chosen = [pid for pid, line in lines.items() if MARKS[kind] in line]
    return [pid for pid in chosen if kind != "shell" or lines[pid].startswith(b"bash")][:1]


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, signal.SIGKILL)


def wait_for_end(group: int) -> None:
    """Workers end by themselves when their runner is gone."""
    deadline = time.monotonic() + 10
    while processes_of(group):
        assert time.monotonic() < deadline, processes_of(group)
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("moments", [4, 30])
def test_killed_at_random_moments_and_resumed(
    moments: int, make_run: MakeRun, tmp_path: Path
) -> None:
    size: dict[str, Any] = {"tasks": {"suite": "zoo_mc"}, "limit": 3 * moments}
    if moments > len(VICTIMS):
        size["pairs"] = [{"source": "zoo", "family": ["llama-early", "neox-late"]}]
    undisturbed, folder = make_run("undisturbed", **size), make_run("killed", **size)
    assert call("run", undisturbed).returncode == 0
    rng = random.Random(20261121)
    environment = command_environment(tmp_path / "network-attempts")
    cells = Run.open(folder).cells
    groups: list[int] = []
    for moment in range(moments):
        kind = VICTIMS[moment % len(VICTIMS)]
        shell = subprocess.Popen(
            ["bash", "-c", 'study run "$0"; true', str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        groups.append(shell.pid)
        done_before = len(cells.done())
        enough, latest = done_before + rng.randrange(1, 5), time.monotonic() + rng.uniform(2, 30)
        while len(cells.done()) < enough and time.monotonic() < latest:
            assert shell.poll() is None, f"it ended before it could be killed {moments} times"
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        for pid in victims(shell.pid, kind):
            kill(pid)
        if kind == "runner":
            wait_for_end(shell.pid)
        elif kind != "shell":  # the next runner may find this one still at work
            time.sleep(rng.uniform(0, 1))
            for pid in processes_of(shell.pid):
                kill(pid)
        shell.wait()
        for group in groups[:-1] if moment + 1 < moments else groups:
            for pid in processes_of(group):
                kill(pid)
    interrupted = len(cells.done())
    result = call("run", folder)
    assert result.returncode == 0, result.stderr
    assert 0 < interrupted < len(cells.done()) == len(Run.open(undisturbed).cells.done())
    assert not list(cells.corrupted())
    assert tables(folder) == tables(undisturbed)
    assert not (tmp_path / "network-attempts").exists()
