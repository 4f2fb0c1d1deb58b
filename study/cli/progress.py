"""Progress of a running study on the terminal.

In: events. Out: a bar with models, cells, items per second and time left; the list of failures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from study.planning.plan_study import State
from study.running.events import Event

SILENT_SECONDS = 30.0
"Without a terminal: how often a line is printed."


def show(events: Iterable[Event], state: State, say: Callable[[str], object]) -> list[str]:
    """Shows events as they come; returns what failed, in words."""
    left = state.cells - state.cells_done
    say(f"{state.cells} cells of {len(state.plan.jobs)} models: {left} left")
    failures: list[str] = []
    cells, items = 0, 0
    working = {
        job.model.name
        for job in state.plan.jobs
        if any(cell.key not in state.done for cell in job.cells)
    }
    started = told = time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("cells"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=left)
        for event in events:
            if event.kind == "retried":
                say(f"retried: {event.model}: {event.reason}")
            if event.kind == "failed":
                failures.append(in_words(event))
            if event.kind == "finished" or (event.kind == "failed" and not event.cell):
                working.discard(event.model)
            cells += event.kind == "cell"
            items += event.items
            speed = items / max(time.monotonic() - started, 1e-9)
            line = f"{_pairs(state, working)}, {speed:.0f} items/s"
            bar.update(task, completed=cells, description=line)
            if bar.disable and time.monotonic() - told > SILENT_SECONDS:
                told = time.monotonic()
                say(f"{cells}/{left} cells, {line}, {_left(started, cells, left)}")
    if cells:
        say(f"{cells} cells computed, {items} items in {time.monotonic() - started:.0f} s")
    return failures


def show_tuning(
    events: Iterable[Event], models: int, left: int, say: Callable[[str], object]
) -> list[str]:
    """Shows trainings as they go on; returns what failed, in words."""
    say(f"{models} models to tune: {left} left")
    failures: list[str] = []
    doing: dict[str, str] = {}
    told, done = time.monotonic(), 0
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("models"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=left)
        for event in events:
            if event.kind == "tuning":
                doing[event.model] = event.reason
            elif event.kind == "failed":
                failures.append(in_words(event))
            if event.kind in ("finished", "failed"):
                doing.pop(event.model, None)
                done += event.kind == "finished"
            line = "; ".join(f"{model}: {what}" for model, what in doing.items())
            bar.update(task, completed=done, description=line[-120:])
            if bar.disable and time.monotonic() - told > SILENT_SECONDS:
                told = time.monotonic()
                say(f"{done}/{left} models, {line}")
    return failures


def in_words(event: Event) -> str:
    """Whose failure it was, and why."""
    return " ".join((event.model, event.cell)).strip() + f": {event.reason}"


def _pairs(state: State, working: set[str]) -> str:
    """Pairs of which no member has anything left."""
    pairs = state.resolved.pairs
    over = sum(not {pair.base.name, pair.tuned.name} & working for pair in pairs)
    return f"{over}/{len(pairs)} pairs"


def _left(started: float, cells: int, left: int) -> str:
    if not cells:
        return "time left unknown"
    return f"about {(time.monotonic() - started) / cells * (left - cells):.0f} s left"
