"""Progress of a running study on the terminal.

In: events. Out: a progress bar, or a line from time to time where there is no terminal; failures as
messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from study.errors import printable
from study.planning.plan import Job
from study.planning.plan_study import PlannedStudy
from study.running.events import Event

LINE_SECONDS = 30.0
"Without a terminal, time between two lines."
MAX_LINE = 120
"Characters of a description."
Say = Callable[[str], object]


class _Bar:
    """A progress bar; without a terminal, lines."""

    def __init__(self, progress: Progress, total: int, unit: str, say: Say) -> None:
        self.progress, self.total, self.unit, self.say = progress, total, unit, say
        self.task = progress.add_task("starting", total=total)
        self.started = self.printed = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return max(time.monotonic() - self.started, 1e-9)

    def update(self, completed: int, description: str) -> None:
        """Show the number of completed units and what is being done."""
        description = printable(description)[-MAX_LINE:]
        self.progress.update(self.task, completed=completed, description=description)
        if self.progress.disable and time.monotonic() - self.printed > LINE_SECONDS:
            self.printed = time.monotonic()
            remaining = self.seconds / completed * (self.total - completed) if completed else None
            time_left = "" if remaining is None else f", about {remaining:.0f} s remaining"
            self.say(f"{completed}/{self.total} {self.unit}, {description}{time_left}")


@contextmanager
def _bar(total: int, unit: str, say: Say) -> Iterator[_Bar]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _Bar(progress, total, unit, say)


def show(events: Iterable[Event], planned: PlannedStudy, say: Say) -> list[str]:
    """Show events of evaluation as they come; returns the failures as messages."""
    plan, remaining = planned.plan, planned.plan.n_cells - planned.n_done
    say(f"{plan.n_cells} cells of {len(plan.jobs)} models: {remaining} remaining")
    failures: list[str] = []
    cells, items = 0, 0
    active = {
        job.model.name
        for job in plan.jobs
        if any(cell.key not in planned.done for cell in job.cells)
    }
    with _bar(remaining, "cells", say) as bar:
        for event in events:
            if event.kind == "note":
                say(event.reason)
            if event.kind == "retried":
                say(f"retried: {event.failure()}")
            if event.kind == "failed":
                failures.append(event.failure())
            if event.ends_job:
                active.discard(event.model)
            cells += event.kind == "cell"
            items += event.items
            bar.update(cells, f"{_pairs(planned, active)}, {items / bar.seconds:.0f} items/s")
        if cells:
            say(f"{cells} cells computed, {items} items in {bar.seconds:.0f} s")
    return failures


def show_scores(events: Iterable[Event], jobs: Sequence[Job], say: Say) -> list[str]:
    """Show the scoring of stored responses; returns the failures as messages."""
    total = sum(len(job.cells) for job in jobs)
    say(f"{total} cells to score")
    failures: list[str] = []
    cells = 0
    with _bar(total, "cells", say) as bar:
        for event in events:
            if event.kind == "failed":
                failures.append(event.failure())
            cells += event.kind == "cell"
            bar.update(cells, "scoring")
    say(f"{cells} cells scored")
    return failures


def show_submission(events: Iterable[Event], say: Say) -> list[str]:
    """Show what was submitted to a queue; returns the failures as messages."""
    failures = []
    for event in events:
        if event.kind == "failed":
            failures.append(event.failure())
        else:
            say(event.reason)
    return failures


def show_tuning(events: Iterable[Event], models: int, remaining: int, say: Say) -> list[str]:
    """Show the training of models; returns the failures as messages."""
    say(f"{models} models to tune: {remaining} remaining")
    failures: list[str] = []
    steps: dict[str, str] = {}
    done = 0
    with _bar(remaining, "models", say) as bar:
        for event in events:
            if event.kind == "tuning":
                steps[event.model] = event.reason
            elif event.kind == "failed":
                failures.append(event.failure())
            if event.kind in ("finished", "failed"):
                steps.pop(event.model, None)
                done += event.kind == "finished"
            bar.update(done, "; ".join(f"{model}: {step}" for model, step in steps.items()))
    return failures


def _pairs(planned: PlannedStudy, active: set[str]) -> str:
    """Number of pairs of which no member has any cells left."""
    pairs = planned.resolved.pairs
    complete = sum(not {pair.base.name, pair.tuned.name} & active for pair in pairs)
    return f"{complete}/{len(pairs)} pairs"
