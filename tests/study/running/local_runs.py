"""Running studies on worker processes whose parent is the process of the tests.

In: a run folder. Out: the events, and the messages that the command line would show.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.cli.progress import show
from study.planning.plan_study import plan_study
from study.results.run import Run
from study.running.dispatch import dispatch
from study.running.events import Event
from study.running.executors.base import STALL_SECONDS
from study.running.executors.local import LocalExecutor

TASKS = ["zoo_colour_mc", "zoo_home_mc", "zoo_reverse_mc", "zoo_addition_mc", "zoo_lookup_mc"]
LONGER: dict[str, Any] = {"tasks": {"suite": "zoo_mc", "only": TASKS}, "draws": 1, "limit": 80}
"Changes of the small study that give enough time to interrupt it."
LONGER_CELLS = 3 * len(TASKS) * 3


@dataclass
class LocalRun:
    """What happened in a run."""

    events: list[Event] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def run_locally(
    folder: Path,
    *,
    devices: Sequence[str] = ("cpu",),
    stall_seconds: float = STALL_SECONDS,
    watch: Callable[[Event], object] = lambda event: None,
) -> LocalRun:
    """Run what remains of a study on worker processes; `watch` is called at each event."""
    executor = LocalExecutor(Run.open(folder), devices, stall_seconds=stall_seconds)
    planned = plan_study(executor.run)
    result = LocalRun()

    def watched() -> Iterator[Event]:
        for event in dispatch(planned, executor):
            result.events.append(event)
            watch(event)
            yield event

    result.failures = show(watched(), planned, result.messages.append)
    return result


def worker_pids(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes of a command, without multiprocessing's resource tracker."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, line in lines.items() if b"spawn_main" in line]


def wait_for_cells(folder: Path, number: int, process: subprocess.Popen[str]) -> None:
    """Wait until that many cells are done."""
    cells = Run.open(folder).cells
    deadline = time.monotonic() + 120
    while len(cells.done()) < number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
