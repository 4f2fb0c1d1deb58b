"""Waiting for what happens to a run on a cluster.

In: a run folder. Out: the statuses of its models, when they are as wanted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.study.commands import call

SMALL_JOB: dict[str, Any] = {"hours": 1, "memory_gb": 2, "cpus": 1, "gpus": 1}
Statuses = list[dict[str, Any]]


def statuses(folder: Path) -> dict[str, dict[str, Any]]:
    """The status of each model."""
    result = call("status", folder, "--json")
    assert result.returncode == 0, result.stderr
    return {row["model"]: row for row in json.loads(result.stdout)}


def wait_until(folder: Path, condition: Callable[[Statuses], bool]) -> dict[str, dict[str, Any]]:
    """Wait until the statuses satisfy a condition; a Slurm that does not answer is asked again."""
    deadline = time.monotonic() + 400
    while True:
        result = call("status", folder, "--json")
        rows = json.loads(result.stdout) if result.returncode == 0 else []
        if rows and condition(rows):
            return {row["model"]: row for row in rows}
        assert time.monotonic() < deadline, (rows, result.stderr)
        time.sleep(0.5)


def running(rows: Statuses) -> Statuses:
    """The models that have finished some of their cells."""
    return [row for row in rows if row["state"] == "runs" and 0 < row["done"] < row["cells"]]


def all_done(rows: Statuses) -> bool:
    return all(row["state"] == "done" for row in rows)


def all_failed(rows: Statuses) -> bool:
    return all(row["state"] == "failed" for row in rows)


def wait_for_log(folder: Path, text: str) -> None:
    """Wait until a job's log contains a text."""
    deadline = time.monotonic() + 60
    while not any(text in log.read_text() for log in folder.glob("results/slurm/*/*_log.*")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
