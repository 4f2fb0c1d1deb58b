"""From a run to its plan, and to what of it is done.

In: a `Run`. Out: `PlannedStudy`: the resolved study, its plan and the keys of finished cells.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from study.errors import StudyError
from study.planning.cells.factory import Position
from study.planning.plan import Job, Plan, make_plan
from study.planning.resolve_study import ResolvedStudy, resolve_study
from study.results.ledger import position
from study.results.run import Run


@dataclass(frozen=True)
class PlannedStudy:
    """A plan, and which of its cells are done."""

    resolved: ResolvedStudy
    plan: Plan
    done: frozenset[str]

    @property
    def n_done(self) -> int:
        """Number of cells that are done."""
        return sum(cell.key in self.done for job in self.plan.jobs for cell in job.cells)

    def refreshed(self) -> PlannedStudy:
        """The same plan with the cells that are done now."""
        return replace(self, done=frozenset(self.resolved.run.cells.done()))

    def remaining(self, *, without: Collection[str | None] = ()) -> list[Job]:
        """The jobs with their cells that can be run now and are not done, `without` some."""
        jobs = []
        for job in self.plan.jobs:
            cells = tuple(
                cell
                for cell in job.cells
                if cell.key
                and cell.key not in self.done
                and cell.key not in without
                and (cell.needs is None or cell.needs in self.done)
            )
            if cells:
                jobs.append(replace(job, cells=cells))
        return jobs

    def missing(self) -> Iterator[tuple[str, str, str]]:
        """(model, cell, reason) for each model or task that is not available, each reason once.

        The cell is empty where the whole model is not available.
        """
        reported = set()
        for job in self.plan.jobs:
            for cell in job.cells:
                if cell.key is None and cell.missing not in reported:
                    reported.add(cell.missing)
                    no_model = isinstance(self.resolved.models[cell.model], str)
                    yield job.model.name, "" if no_model else cell.describe(), cell.missing


def plan_study(
    run: Run, *, on_step: Callable[[str], object] = lambda message: None
) -> PlannedStudy:
    """Resolve and plan a study, without a network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not run.study.runs:
        raise run.study.error(
            "pairs",
            found="none, and no arms and tasks",
            expected="pairs, arms and tasks to run",
            do="A study of imported scores is not run: use `study import`, then `study analyze`",
        )
    resolved = resolve_study(run, on_step=on_step)
    gc.freeze()  # lm-eval's index is large and permanent; every collection would traverse it
    done = frozenset(run.cells.done())
    return PlannedStudy(resolved, make_plan(resolved, _finished(resolved, done)), done)


def _finished(resolved: ResolvedStudy, done: frozenset[str]) -> dict[Position, str]:
    """Cells of an earlier plan of the same study that are valid although their model is gone:
    weights are deleted to free space, and finished cells do not need them."""
    if not any(isinstance(facts, str) for facts in resolved.models.values()):
        return {}
    try:
        ledger = resolved.run.ledger
    except StudyError:  # there was no earlier plan, or it cannot be read
        return {}
    if ledger.study != resolved.study.digest():
        return {}
    finished = {}
    for row in ledger.rows:
        items = resolved.items.get(row["task"])
        if row["key"] in done and not isinstance(items, str | None):
            identity = resolved.run.cells.record(row["key"])["identity"]
            if identity["task"]["items"] == items.digest:
                finished[position(row)] = row["key"]
    return finished
