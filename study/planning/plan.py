"""The plan: which cells a study has, and which model's job each belongs to.

In: `ResolvedStudy`. Out: `Plan`. Nothing is run or written here, and the same input gives the same
plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from study.config.arms import ROLES, Arm
from study.models.pairs import ModelRef, Pair
from study.planning.cells.cell import Cell
from study.planning.cells.factory import CellFactory, Position
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.identity import Identity
from study.tasks.prompt_forms import applies
from study.tuning.identity import TunedModel


@dataclass(frozen=True)
class Job:
    """All cells of one model, which is loaded once for them."""

    model: ModelRef
    params_b: float
    cells: tuple[Cell, ...]
    tuned: TunedModel | None = None
    "How the model is trained, if the study trains it."


@dataclass(frozen=True)
class SkippedCells:
    """Cells that are not run, because their number would not be what its name says."""

    arm: str
    task: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything that is to be run, and what is skipped."""

    rows: tuple[tuple[Pair, str, Cell], ...]
    "(pair, role, cell); a cell that several pairs share is in a row of each."
    jobs: tuple[Job, ...]
    "One per model, in the order of the pairs."
    skipped: tuple[SkippedCells, ...]
    corrections: tuple[str, ...]
    "Where lm-eval's own rules would have leaked items into prompts, and what is done instead."

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return sum(len(job.cells) for job in self.jobs)


def make_plan(
    resolved: ResolvedStudy, evaluated: Mapping[Position, Identity] | None = None
) -> Plan:
    """All cells of a study, grouped into one job per model.

    `evaluated`: identities of responses that exist, for cells whose models are no longer available.
    """
    study = resolved.study
    arms = study.parsed_arms()
    skipped = tuple(_skipped(resolved, arms))
    excluded = {(entry.arm, entry.task) for entry in skipped}
    factory = CellFactory(resolved, arms, evaluated or {})
    rows = []
    for pair in resolved.pairs:
        for arm in arms:
            for task in resolved.tasks:
                if (arm.name, task.task) in excluded:
                    continue
                if not applies(arm, writes=pair.writes_demonstrations):
                    continue
                for draw in range(study.draws_of(arm.name)):
                    number = draw if arm.shots else None
                    rows.append((pair, arm.role, factory.cell(pair, arm, task, number)))
    by_model: dict[ModelRef, list[Cell]] = {}
    for cell in factory.cells.values():
        by_model.setdefault(cell.model, []).append(cell)
    sizes = {pair.member(role): pair.params_b for pair in resolved.pairs for role in ROLES}
    jobs = tuple(
        Job(model, sizes[model], tuple(cells), resolved.tuned.get(model))
        for model, cells in by_model.items()
    )
    return Plan(tuple(rows), jobs, skipped, tuple(_corrections(resolved, arms)))


def _skipped(resolved: ResolvedStudy, arms: list[Arm]) -> Iterator[SkippedCells]:
    for arm in arms:
        for task in resolved.tasks:
            if not arm.shots:
                continue
            if resolved.entries[task.task].fixes_zero_shots:
                reason = "the task file fixes zero shots; lm-eval would ignore the demonstrations"
                yield SkippedCells(arm.name, task.task, reason)
            elif task.max_shots is not None and arm.shots > task.max_shots:
                reason = f"the task supports at most {task.max_shots} demonstrations"
                yield SkippedCells(arm.name, task.task, reason)


def _corrections(resolved: ResolvedStudy, arms: list[Arm]) -> Iterator[str]:
    if not any(arm.shots for arm in arms):
        return
    for task in resolved.tasks:
        entry = resolved.entries[task.task]
        if entry.fixes_zero_shots:
            continue
        if entry.demonstrates_itself:
            yield (
                f"{task.task}: lm-eval would draw demonstrations from the evaluated items "
                f"(split {entry.evaluated_split!r}), the item itself included; here part of the "
                "split is reserved for demonstrations"
            )
        elif entry.shares_split:
            yield (
                f"{task.task}: lm-eval would draw new demonstrations for every item from the other "
                f"items (split {entry.evaluated_split!r}); here part of the split is reserved for "
                "demonstrations"
            )
