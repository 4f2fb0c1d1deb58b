"""From a run's folder to a plan and its state, and from there to events of running it.

In: a run's folder. Out: `State` (what there is to do and what is done), and the events of doing it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from study.design import read_study, study_file
from study.errors import StudyError
from study.ledger import write_ledger
from study.plan import Plan, make_plan
from study.resolving import Resolved, resolve
from study.running import Event, describe
from study.store import Cells


@dataclass(frozen=True)
class State:
    """A plan, and which of its cells are done."""

    resolved: Resolved
    plan: Plan
    done: frozenset[str]

    @property
    def cells(self) -> int:
        """Cells in all."""
        return sum(len(job.cells) for job in self.plan.jobs)

    @property
    def cells_done(self) -> int:
        """Cells that are done."""
        return sum(cell.key in self.done for job in self.plan.jobs for cell in job.cells)


def planned(run: Path, *, on_step: Callable[[str], object] = lambda what: None) -> State:
    """Reads, resolves and plans a study, without a network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    study = read_study(run)
    if not study.runs:
        raise StudyError(
            study_file(run),
            "pairs",
            found="none, and no arms and tasks",
            expected="pairs, arms and tasks to run",
            do="A study of imported scores is not run: `study import`, then `study analyze`",
        )
    resolved = resolve(study, run, on_step=on_step)
    gc.freeze()  # lm-eval's index is large and stays: without this every collection walks it
    return State(resolved, make_plan(resolved), frozenset(Cells(run).done()))


STALL_SECONDS = 3600.0
"A worker that is not heard of for so long, neither a forward pass nor a cell, is killed."


def run_planned(
    state: State, devices: list[str] | None, *, stall_seconds: float = STALL_SECONDS
) -> Iterator[Event]:
    """Runs what is left; yields what happens, cells that cannot be run first."""
    from study.executors.devices import default_devices
    from study.executors.local import Local

    write_ledger(state.resolved, state.plan)
    yield from _unrunnable(state)
    jobs = []
    for job in state.plan.jobs:
        left = tuple(cell for cell in job.cells if cell.key and cell.key not in state.done)
        if left:
            jobs.append(replace(job, cells=left))
    if jobs:
        resolved = state.resolved
        folders = {
            ref: facts.folder
            for ref, facts in resolved.models.items()
            if not isinstance(facts, str)
        }
        place = Local(
            resolved.study, resolved.run, devices or default_devices(), folders, stall_seconds
        )
        yield from place.events(jobs)


def _unrunnable(state: State) -> Iterator[Event]:
    """One failure for every model or task that is not at hand, however many cells it has."""
    told = set()
    for job in state.plan.jobs:
        for cell in job.cells:
            if cell.key is None and cell.missing not in told:
                told.add(cell.missing)
                whole = isinstance(state.resolved.models[cell.model], str)
                what = "" if whole else describe(cell)
                yield Event("failed", job.model.name, what, cell.missing)
