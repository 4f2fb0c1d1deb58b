"""Copies of the demo study, without results.

In: a folder, changes to the study file. Out: an opened `Run`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from study.results.run import Run

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SMALL: dict[str, Any] = {
    "pairs": [{"source": "zoo", "pair": ["llama-early-xxs"]}],
    "tasks": [
        {"task": "zoo_reverse_mc", "task_type": "strings", "metric": "acc", "chance": 0.25},
        {"task": "zoo_colour_mc", "task_type": "knowledge", "metric": "acc", "chance": 0.25},
    ],
    "draws": 1,
    "limit": 5,
}
"Changes that make the demo run in seconds."


def demo_run(folder: Path, **changes: Any) -> Run:
    """A copy of the demo in a new folder, with top-level keys of study.yaml replaced."""
    folder.mkdir(parents=True)
    content = yaml.safe_load((ROOT / "runs/demo/study.yaml").read_text())
    (folder / "study.yaml").write_text(yaml.safe_dump({**content, **changes}))
    return Run.open(folder)


def timed_command(command: list[str]) -> float:
    """Seconds that a command takes; an error with its output if it fails."""
    start = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return time.perf_counter() - start


def timed_run(run: Run, workers: int) -> float:
    """Seconds that `study run` takes with this number of CPU workers."""
    devices = ["--device", "cpu"] * workers
    return timed_command([str(BIN / "study"), "run", str(run.folder), *devices])


def cell_scores(run: Run) -> dict[str, float]:
    """Scores of the finished cells, by key."""
    return {key: run.cells.record(key)["score"] for key in run.cells.done()}
