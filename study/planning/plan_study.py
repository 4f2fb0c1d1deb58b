"""From a run to its plan, and to what of it is done.

In: a `Run`. Out: `PlannedStudy`: the resolved study, its plan and the keys of finished cells.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from study.errors import StudyError
from study.planning.cells.cell import Cell
from study.planning.cells.factory import Position
from study.planning.plan import Job, Plan, make_plan
from study.planning.resolving.resolve_study import resolve_study
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.identity import Identity
from study.results.ledger import position
from study.results.run import Run


@dataclass(frozen=True)
class PlannedStudy:
    """A plan, and which of its cells are done."""

    resolved: ResolvedStudy
    plan: Plan
    done: frozenset[str]
    "Keys of the cells that are done."
    responses: frozenset[str]
    "Keys of the responses that exist."

    @property
    def n_done(self) -> int:
        """Number of cells that are done."""
        return sum(cell.key in self.done for job in self.plan.jobs for cell in job.cells)

    def refreshed(self) -> PlannedStudy:
        """The same plan with the cells that are done now."""
        run = self.resolved.run
        return replace(
            self, done=frozenset(run.cells.done()), responses=frozenset(run.responses.done())
        )

    def evaluated(self) -> frozenset[str]:
        """Keys of the cells for which no model is needed any more: done, or only to be scored."""
        unscored = (cell for job in self.unscored() for cell in job.cells)
        return self.done | {str(cell.key) for cell in unscored}

    def unscored(self) -> list[Job]:
        """The jobs with their cells whose responses exist and are not scored."""
        return self._jobs(
            lambda cell: cell.key not in self.done and cell.responses in self.responses
        )

    def remaining(self, *, without: Collection[str | None] = ()) -> list[Job]:
        """The jobs with their cells that can be run now and are not done, `without` some."""
        return self._jobs(
            lambda cell: (
                cell.key is not None
                and cell.key not in self.done
                and cell.key not in without
                and (cell.needs is None or cell.needs in self.responses)
            )
        )

    def _jobs(self, wanted: Callable[[Cell], bool]) -> list[Job]:
        """The jobs that have such cells, with these alone."""
        jobs = ((job, tuple(filter(wanted, job.cells))) for job in self.plan.jobs)
        return [replace(job, cells=cells) for job, cells in jobs if cells]

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
    done, responses = frozenset(run.cells.done()), frozenset(run.responses.done())
    return PlannedStudy(resolved, make_plan(resolved, _evaluated(resolved)), done, responses)


def _evaluated(resolved: ResolvedStudy) -> dict[Position, Identity]:
    """Identities of responses of an earlier plan that are valid although their model is gone:
    weights are deleted to free space, and neither finished cells nor scorers need them."""
    if not any(isinstance(facts, str) for facts in resolved.models.values()):
        return {}
    run = resolved.run
    try:
        ledger = run.ledger
    except StudyError:  # there was no earlier plan, or it cannot be read
        return {}
    if ledger.prompts != resolved.study.digest(scoring=False):
        return {}
    responses = run.responses.done()
    evaluated = {}
    for row in ledger.rows:
        items = resolved.items.get(row["task"])
        if row["responses"] in responses and not isinstance(items, str | None):
            identity = run.responses.record(row["responses"])["identity"]
            task = identity["prompts"]["task"]
            if (task["items"], task["documents"], task["configuration"]) == (
                items.digest,
                items.documents,
                items.prompt_configuration,
            ):
                evaluated[position(row)] = identity
    return evaluated
