"""kill -9 of the runner, of its workers, of the shell that started it, or of all at once, at random
moments: while it plans, loads, computes, generates, or writes a cell's files. The same command
resumes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.data import SUITES
from study.results.run import Run
from tests.conftest import MakeRun, command_environment, tables
from tests.study.commands import call
from tests.study.running.conftest import StartRun
from tests.study.running.local_runs import worker_pids

MAX_CELLS = 6
"Within so many cells one is generated, every second task being of that form."
VICTIMS = ("runner", "worker", "shell", "all")
MARKS = {"runner": b"/study\0run", "worker": b"spawn_main", "shell": b"-c\0"}


COMMITS_EVERY_STEP = f"""#!{sys.executable}
from study.running.cells import partial_commits

partial_commits.COMMIT_SECONDS = 0.0

if __name__ == "__main__":
    from study.cli.main import main

    main()
"""
"The command, with a commit of partial responses at every step. Workers import it, too."


def tasks() -> list[dict[str, Any]]:
    """Every second skill of the zoo, in generated form and with choices, in turn."""
    suites = [yaml.safe_load((SUITES / f"zoo_{form}.yaml").read_text()) for form in ("gen", "mc")]
    pairs = list(zip(*(suite["tasks"] for suite in suites), strict=True))
    return [task for pair in pairs[::2] for task in pair]


def responses_of(run: Run) -> dict[str, Any]:
    """The stored responses of every cell."""
    return {key: run.responses.items(key).to_pylist() for key in run.responses.done()}


def partial_files(folder: Path) -> set[tuple[str, int]]:
    """Name and time of each file of partial responses."""
    files = set()
    for path in (folder / "results" / "responses" / "partial").glob("*.partial"):
        with suppress(FileNotFoundError):  # its cell has just been finished
            files.add((path.name, path.stat().st_mtime_ns))
    return files


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


def wait_for_end(group: int, seconds: float) -> None:
    """Workers end by themselves when their runner is gone, those that are starting as well."""
    deadline = time.monotonic() + seconds
    while processes_of(group):
        assert time.monotonic() < deadline, processes_of(group)
        time.sleep(0.1)


def test_busy_workers_end_when_their_runner_is_killed(
    task_run: Callable[[str], Path],
    start_run: StartRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever they compute: this one would be busy for an hour."""
    marker = tmp_path / "hangs"
    monkeypatch.setenv("HANG_IN_WORKERS", str(marker))
    folder = task_run("fine")
    process = start_run(folder, "--device", "cpu")
    deadline = time.monotonic() + 120
    while not marker.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = worker_pids(process)
    assert workers
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while (left := running(workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        kill(pid)
    assert not left


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
@pytest.mark.parametrize("moments", [4, 30])
def test_killed_at_random_moments_and_resumed(
    moments: int, make_run: MakeRun, tmp_path: Path
) -> None:
    size: dict[str, Any] = {"tasks": tasks(), "limit": 3 * moments}
    if moments > len(VICTIMS):
        size["pairs"] = [{"source": "zoo", "family": ["llama-early", "neox-late"]}]
    undisturbed, folder = make_run("undisturbed", **size), make_run("killed", **size)
    assert call("run", undisturbed).returncode == 0
    rng = random.Random(20261121)
    environment = command_environment(tmp_path / "network-attempts")
    command = tmp_path / "bin" / "study"
    command.parent.mkdir()
    command.write_text(COMMITS_EVERY_STEP)
    command.chmod(0o755)
    cells = Run.open(folder).cells
    groups: list[int] = []
    start_seconds = 0.0
    for moment in range(moments):
        kind = VICTIMS[moment % len(VICTIMS)]
        shell = subprocess.Popen(
            ["bash", "-c", '"$0" run "$1"; true', str(command), str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        groups.append(shell.pid)
        begun, done_before = time.monotonic(), len(cells.done())
        enough = done_before + rng.randrange(1, 5)
        # The first is killed after a few cells, which says how long a start takes on this machine.
        latest = begun + start_seconds * rng.uniform(0.1, 1.5) if moment else float("inf")
        generates = moment % 2 == 1  # then a worker is killed, or all, within a cell
        if generates:
            enough, latest = done_before + MAX_CELLS, float("inf")
        before = partial_files(folder)
        while len(cells.done()) < enough and time.monotonic() < latest:
            assert shell.poll() is None, f"it ended before it could be killed {moments} times"
            if generates and partial_files(folder) - before:
                break
            time.sleep(0.005)
        start_seconds = start_seconds or time.monotonic() - begun
        time.sleep(0 if generates else rng.uniform(0, 0.1))
        for pid in victims(shell.pid, kind):
            kill(pid)
        if kind == "runner":
            wait_for_end(shell.pid, 10 + start_seconds)
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
    run, expected = Run.open(folder), Run.open(undisturbed)
    assert not [*cells.corrupted(), *run.responses.corrupted()]
    assert responses_of(run) == responses_of(expected)
    assert (run.results / "responses" / "partial").is_dir()
    assert not list((run.results / "responses" / "partial").iterdir())
    records = [run.responses.record(key) for key in run.responses.done()]
    resumed = sum(bool(record["resumed"]) for record in records)
    print(resumed, "cells resumed from partial responses")
    assert resumed or moments == len(VICTIMS), "no kill met a cell that was being generated"
    assert tables(folder) == tables(undisturbed)
    assert not (tmp_path / "network-attempts").exists()
