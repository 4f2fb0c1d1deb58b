"""From a run's folder to a plan and its state, and from there to events of running it.

In: a run's folder. Out: `State` (what there is to do and what is done), and the events of doing it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from study.config.study import read_study, study_file
from study.errors import StudyError, listed
from study.planning.cells import Position
from study.planning.cost.estimate import estimate
from study.planning.cost.here import speed_here
from study.planning.cost.throughput import ASSUMED, Speed
from study.planning.plan import Job, Plan, make_plan
from study.planning.resolve_study import Resolved, resolve
from study.results.cell_store.store import Cells
from study.results.ledger import POSITION, read_ledger, write_ledger
from study.running.cells.run_model import describe
from study.running.events import Event
from study.running.job_states import recorded


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
    cells = Cells(run)
    done = frozenset(cells.done())
    return State(resolved, make_plan(resolved, _finished(resolved, cells, done)), done)


def _finished(resolved: Resolved, cells: Cells, done: frozenset[str]) -> dict[Position, str]:
    """Cells of an earlier plan of this very study that stand though their model is gone: weights
    are deleted where room is needed, and finished cells need none."""
    if not any(isinstance(facts, str) for facts in resolved.models.values()):
        return {}
    try:
        ledger = read_ledger(resolved.run)
    except StudyError:  # there was no earlier plan, or none that can be read
        return {}
    if ledger["study"] != resolved.study.digest():
        return {}
    found = {}
    for row in ledger["rows"]:
        items = resolved.items.get(row["task"])
        if row["key"] in done and not isinstance(items, str | None):
            identity = cells.record(row["key"])["identity"]
            if identity["task"]["items"] == items.digest:
                found[tuple(row[part] for part in POSITION)] = row["key"]
    return found


STALL_SECONDS = 3600.0
"A worker that is not heard of for so long, neither a forward pass nor a cell, is killed."


def run_planned(
    state: State, devices: list[str] | None, *, stall_seconds: float = STALL_SECONDS
) -> Iterator[Event]:
    """Runs what is left on this machine; yields what happens, cells that cannot be run first."""
    from study.hardware import default_devices

    write_ledger(state.resolved, state.plan)
    yield from unrunnable(state)
    named = devices or default_devices()
    speed = speed_here(state.resolved.study, state.resolved.run, named)
    tried: set[str | None] = set()
    while jobs := left(state, without=tried):  # what some cells need others write first
        yield from _here(state, _longest_first(state, jobs, speed), named, stall_seconds)
        tried |= {cell.key for job in jobs for cell in job.cells}
        state = replace(state, done=frozenset(Cells(state.resolved.run).done()))


def tune_planned(
    state: State, devices: list[str] | None, *, stall_seconds: float = STALL_SECONDS
) -> tuple[list[Job], Iterator[Event]]:
    """The models that are still to be tuned, the largest first, and the events of tuning them."""
    from study.hardware import default_devices

    if not state.resolved.study.tuning.recipes:
        raise StudyError(
            study_file(state.resolved.run), "tuning.recipes", found="none",
            expected="recipes of models to tune",
        )  # fmt: skip
    size = {pair.tuned: pair.params_b for pair in state.resolved.pairs}
    jobs = [
        Job(ref, size[ref], (), tuned)
        for ref, tuned in state.resolved.tuned.items()
        if not tuned.finished
    ]
    jobs.sort(key=lambda job: -job.params_b)
    return jobs, _here(state, jobs, devices or default_devices(), stall_seconds)


def _here(
    state: State, jobs: list[Job], devices: list[str], stall_seconds: float
) -> Iterator[Event]:
    from study.running.executors.local import Local

    resolved = state.resolved
    folders = {
        ref: facts.folder for ref, facts in resolved.models.items() if not isinstance(facts, str)
    }
    place = Local(resolved.study, resolved.run, devices, folders, stall_seconds)
    with closing(place.events(jobs)) as events:
        yield from recorded(events, resolved.run)


def submit_planned(
    state: State, devices: list[str] | None, *, stall_seconds: float = STALL_SECONDS
) -> Iterator[str]:
    """Submits to Slurm what is left and not in its queue; yields what was done, in words."""
    from study.planning.staging import not_locked
    from study.results.lock import FILE_NAME as LOCK_NAME
    from study.running.executors.slurm.executor import check_commands, models_in_queue, submit
    from study.running.executors.slurm.queue import release

    resolved = state.resolved
    check_commands()
    if not resolved.study.slurm:
        raise StudyError(
            study_file(resolved.run), "slurm", found="nothing",
            expected="resources of a job, by the size of its model",
            do="See the README on clusters",
        )  # fmt: skip
    if lacking := not_locked(resolved.study, resolved.run):
        raise StudyError(
            resolved.run / LOCK_NAME, found=f"nothing of {listed(lacking, most=4)}",
            expected="all models and tasks, for compute nodes fetch nothing",
            do=f"Run `study stage {resolved.run}` first",
        )  # fmt: skip
    write_ledger(resolved, state.plan)
    in_queue = models_in_queue(resolved.run)
    # Asked in this order, a job that ends meanwhile is either in the queue still or done.
    state = replace(state, done=frozenset(Cells(resolved.run).done()))
    jobs = left(state)
    if held := [task for task in in_queue.values() if task.held]:
        release(held)
        yield f"{len(held)} models that failed to start on their nodes are let go again"
    if waiting := [job for job in jobs if job.model.name in in_queue]:
        yield f"{len(waiting)} models are in Slurm's queue already"
    jobs = [job for job in jobs if job.model.name not in in_queue]
    if not jobs:
        yield "nothing to submit"
    jobs = _longest_first(state, jobs, ASSUMED["cuda"])
    needing = [cell for job in state.plan.jobs for cell in job.cells if cell.needs]
    if later := [cell for cell in needing if cell.needs not in state.done]:
        yield (
            f"{len(later)} cells need what tuned models will write; run the same command when "
            "these are done"
        )
    for number, array in submit(resolved.study, resolved.run, jobs, devices, stall_seconds):
        yield f"{number} models submitted as {array}"


def left(state: State, *, without: Collection[str | None] = ()) -> list[Job]:
    """The jobs with those of their cells that can be run now and are not done, `without` some."""
    jobs = []
    for job in state.plan.jobs:
        cells = tuple(
            cell
            for cell in job.cells
            if cell.key
            and cell.key not in state.done
            and cell.key not in without
            and (cell.needs is None or cell.needs in state.done)
        )
        if cells:
            jobs.append(replace(job, cells=cells))
    return jobs


def _longest_first(state: State, jobs: list[Job], speed: Speed) -> list[Job]:
    """By estimated time."""
    of_model = {job.model: job for job in jobs}
    ordered = estimate(state.resolved, state.plan, state.done).longest_first(speed)
    return [of_model[job.model] for job in ordered if job.model in of_model]


def unrunnable(state: State) -> Iterator[Event]:
    """One failure for every model or task that is not at hand, however many cells it has."""
    told = set()
    for job in state.plan.jobs:
        for cell in job.cells:
            if cell.key is None and cell.missing not in told:
                told.add(cell.missing)
                whole = isinstance(state.resolved.models[cell.model], str)
                what = "" if whole else describe(cell)
                yield Event("failed", job.model.name, what, cell.missing)
