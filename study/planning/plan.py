"""The plan: which cells a study has, and which model's job each belongs to.

In: `Resolved`. Out: `Plan`. Pure: nothing is read, run or written here, and the same input gives
the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from study.config.arms import Arm, applies, parse_arm
from study.models.pairs import ModelRef, Pair
from study.planning.cells import Cell, CellMaker, Position
from study.planning.resolve_study import Resolved
from study.results.schema import ROLES
from study.tuning.identity import TunedModel


@dataclass(frozen=True)
class Job:
    """All cells of one model, which is loaded once for them."""

    model: ModelRef
    params_b: float
    cells: tuple[Cell, ...]
    tuned: TunedModel | None = None
    "How the model is made, where the study makes it."


@dataclass(frozen=True)
class LeftOut:
    """Cells that are not run, because their number would not be what it is called."""

    arm: str
    task: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything that is to be run, and what is not."""

    rows: tuple[tuple[Pair, str, Cell], ...]
    "(pair, role, cell); a cell that several pairs share stands once for each."
    jobs: tuple[Job, ...]
    "One per model, in the order of the pairs."
    left_out: tuple[LeftOut, ...]
    falsified: tuple[str, ...]
    "What lm-eval's own rules would have done to cells, and what is done instead."


def make_plan(resolved: Resolved, finished: Mapping[Position, str] | None = None) -> Plan:
    """All cells of a study, grouped into one job per model. `finished`: keys of cells that were
    done before; they stand where what they were computed from is no longer at hand."""
    study = resolved.study
    arms = [parse_arm(name) for name in study.arm_names()]
    left_out = tuple(_left_out(resolved, arms))
    out = {(entry.arm, entry.task) for entry in left_out}
    cells = CellMaker(resolved, arms, finished or {})
    draws = {arm.name: study.draws_of(arm.name) for arm in arms}
    rows = []
    for pair in resolved.pairs:
        for arm in arms:
            for task in resolved.tasks:
                if (arm.name, task.task) in out:
                    continue
                if not applies(arm, writes=pair.recipe is not None and pair.recipe.writes):
                    continue
                for draw in range(draws[arm.name]):
                    number = draw if arm.shots else None
                    rows.append((pair, arm.role, cells.cell(pair, arm, task, number)))
    of_model: dict[ModelRef, list[Cell]] = {}
    for cell in cells.made.values():
        of_model.setdefault(cell.model, []).append(cell)
    sizes = {pair.member(role): pair.params_b for pair in resolved.pairs for role in ROLES}
    jobs = tuple(
        Job(model, sizes[model], tuple(own), resolved.tuned.get(model))
        for model, own in of_model.items()
    )
    return Plan(tuple(rows), jobs, left_out, tuple(_falsified(resolved, arms)))


def _left_out(resolved: Resolved, arms: list[Arm]) -> Iterator[LeftOut]:
    for arm in arms:
        for task in resolved.tasks:
            if not arm.shots:
                continue
            if resolved.entries[task.task].refuses_shots:
                why = "its file fixes zero shots; lm-eval would run it without demonstrations"
                yield LeftOut(arm.name, task.task, why)
            elif task.max_shots is not None and arm.shots > task.max_shots:
                yield LeftOut(arm.name, task.task, f"it can take {task.max_shots} demonstrations")


def _falsified(resolved: Resolved, arms: list[Arm]) -> Iterator[str]:
    if not any(arm.shots for arm in arms):
        return
    for task in resolved.tasks:
        entry = resolved.entries[task.task]
        if entry.refuses_shots:
            continue
        if entry.demonstrates_itself:
            yield (
                f"{task.task}: lm-eval would draw demonstrations from the items asked, the asked "
                f"one included (split {entry.evaluated_split!r}); here the split is parted"
            )
        elif entry.shares_split:
            yield (
                f"{task.task}: lm-eval would draw demonstrations anew for every item from the "
                f"other items (split {entry.evaluated_split!r}); here the split is parted"
            )
