"""kill -9 of the runner, of its workers, of the shell that began it, or of all at once, at random
moments: planning, loading, computing, between a cell's files. The same command ends the run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from study.results.cell_store.store import Cells
from tests.conftest import Study, command_environment, tables

MakeRun = Callable[..., Path]
VICTIMS = ("runner", "worker", "shell", "all")


def members(group: int) -> dict[int, bytes]:
    """By process number, the command line of each living process of a group."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            if after_name[0] != "Z" and int(after_name[2]) == group:
                found[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:
            continue
    return found


def victims(group: int, kind: str) -> list[int]:
    lines = members(group)
    marks = {"runner": b"/study\0run", "worker": b"spawn_main", "shell": b"-c\0"}
    if kind == "all":
        return list(lines)
    chosen = [pid for pid, line in lines.items() if marks[kind] in line]
    return [pid for pid in chosen if kind != "shell" or lines[pid].startswith(b"bash")][:1]


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("moments", [4, 30])
def test_killed_at_random_moments_and_continued(
    moments: int, make_run: MakeRun, study_command: Study, tmp_path: Path
) -> None:
    size: dict[str, Any] = {"tasks": {"suite": "zoo_mc"}, "limit": 3 * moments}
    if moments > len(VICTIMS):
        size["pairs"] = [{"source": "zoo", "family": ["llama-early", "neox-late"]}]
    undisturbed, run = make_run("undisturbed", **size), make_run("killed", **size)
    assert study_command("run", undisturbed).returncode == 0
    rng = random.Random(20261121)
    environment = command_environment(tmp_path / "network-attempts")
    cells, groups = Cells(run), []
    for moment in range(moments):
        kind = VICTIMS[moment % len(VICTIMS)]
        shell = subprocess.Popen(
            ["bash", "-c", 'study run "$0"; true', str(run)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        groups.append(shell.pid)
        begun = len(cells.done())
        enough, longest = begun + rng.randrange(1, 5), time.monotonic() + rng.uniform(2, 30)
        while len(cells.done()) < enough and time.monotonic() < longest:
            assert shell.poll() is None, f"it ended before it could be killed {moments} times"
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        for pid in victims(shell.pid, kind):
            kill(pid)
        if kind == "runner":
            ends_by_itself(shell.pid)
        elif kind != "shell":  # the next runner finds this one still at work, or its end
            time.sleep(rng.uniform(0, 1))
            for pid in members(shell.pid):
                kill(pid)
        shell.wait()
        for group in groups[:-1] if moment + 1 < moments else groups:
            for pid in members(group):
                kill(pid)
    partly = len(cells.done())
    done = study_command("run", run)
    assert done.returncode == 0, done.stderr
    assert 0 < partly < len(cells.done()) == len(Cells(undisturbed).done())
    assert not list(cells.damaged())
    assert tables(run) == tables(undisturbed)


def ends_by_itself(group: int) -> None:
    """Without their runner workers do not go on."""
    deadline = time.monotonic() + 10
    while members(group):
        assert time.monotonic() < deadline, members(group)
        time.sleep(0.1)
