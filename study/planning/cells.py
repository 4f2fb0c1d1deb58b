"""Cells: the units of work, each with the key of everything that can move its number.

In: `Resolved`, and where a number stands. Out: `Cell`. Pure: nothing is read, run or written here.
A cell whose model or data is not on this machine has no key yet, and says why.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from study.config.arms import Arm, applies
from study.config.entries import ListedTask
from study.config.study import Study
from study.models.pairs import ModelRef, Pair
from study.planning.resolve_study import Resolved
from study.results.identity import cell_identity, cell_key
from study.tasks.demonstrations import Demonstrations, demonstrations
from study.tasks.items import Document, TaskItems
from study.tasks.prompt_forms.forms import Asking, Demonstrator, formed
from study.tasks.truncation import Asked, kept_demonstrations, kept_digest

ENGINE = "shared-prefix"


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit of work, of identity and of resume: (model, arm, task, draw)."""

    model: ModelRef
    arm: Arm
    task: ListedTask
    draw: int | None
    "The draw's number; None for an arm without demonstrations."
    key: str | None = None
    "Its identity's digest; None while something it depends on is not at hand."
    identity: dict[str, Any] | None = None
    kept: tuple[int, ...] | None = None
    "Demonstrations that each item keeps, where not all do."
    missing: str = ""
    "Why there is no key."
    demonstrator: str | None = None
    "The task that demonstrates, where it is another one."
    needs: str | None = None
    "Key of the cell whose answers are this one's prompts."


Position = tuple[str, str, str, str, int | None]
"Pair, role, arm, task and draw: where a number stands in the tables."


def evaluated(items: TaskItems, limit: int | None) -> tuple[Document, ...]:
    """The items that are asked: the first `limit`."""
    return items.items[:limit]


class CellMaker:
    """Makes cells, each once, remembering what many of them share."""

    def __init__(
        self, resolved: Resolved, arms: list[Arm], finished: Mapping[Position, str]
    ) -> None:
        self.resolved, self.arms, self.finished = resolved, arms, finished
        self.made: dict[tuple[Any, ...], Cell] = {}
        self._drawn: dict[tuple[Any, ...], Demonstrations] = {}
        self._kept: dict[tuple[Any, ...], tuple[int, ...] | None] = {}

    def cell(self, pair: Pair, arm: Arm, task: ListedTask, draw: int | None) -> Cell:
        """The cell of that place, with its key where all it depends on is at hand."""
        writer = pair.tuned if arm.form == "written" else None
        at = (pair.member(arm.role), arm.name, task.task, draw, writer)
        if at not in self.made:
            made = self._make(pair, arm, task, draw)
            if made.key is None:
                before = self.finished.get((pair.name, arm.role, arm.name, task.task, draw))
                made = replace(made, key=before, missing="") if before else made
            self.made[at] = made
        return self.made[at]

    def _make(self, pair: Pair, arm: Arm, task: ListedTask, draw: int | None) -> Cell:
        study, model = self.resolved.study, pair.member(arm.role)
        facts, items = self.resolved.models[model], self.resolved.items[task.task]
        if isinstance(facts, str):
            return Cell(model, arm, task, draw, missing=facts)
        if isinstance(items, str):
            return Cell(model, arm, task, draw, missing=items)
        try:
            demonstrator = (
                other_task(self.resolved, task, draw) if arm.form == "othertask" else None
            )
            shown = self._items(demonstrator) if demonstrator else items
            drawn = self._demonstrations(shown, arm, draw)
        except ValueError as error:
            return Cell(model, arm, task, draw, missing=str(error))
        needs = None
        if arm.form == "written":
            writes = next(other for other in self.arms if other.form == "writes")
            writer = self.cell(pair, writes, task, None)
            if writer.key is None:
                return Cell(model, arm, task, draw, missing=writer.missing)
            needs = writer.key
        kept = self._fit(pair, arm, task, demonstrator, drawn, draw) if arm.shots else None
        identity = cell_identity(
            weights=facts.weights,
            tokenizer=facts.tokenizer,
            dtype=study.dtype,
            engine=ENGINE,
            task=task.task,
            task_version=items.version,
            items=items.digest,
            metric=task.metric if task.scale == 1 else f"{task.metric} * {task.scale}",
            limit=study.limit,
            arm=arm_identity(study, arm, task, demonstrator, needs),
            demonstrations=drawn.digest,
            kept=kept_digest(kept),
        )
        key = cell_key(identity)
        return Cell(model, arm, task, draw, key, identity, kept, "", demonstrator, needs)

    def _items(self, task: str) -> TaskItems:
        items = self.resolved.items[task]
        if isinstance(items, str):
            raise ValueError(items)
        return items

    def _demonstrations(self, items: TaskItems, arm: Arm, draw: int | None) -> Demonstrations:
        at = (items.task, arm.shots, draw)
        if at not in self._drawn:
            seed = self.resolved.study.seed
            self._drawn[at] = drawn_for(items, arm, seed=seed, draw=draw)
        return self._drawn[at]

    def _asked(self, task: ListedTask, arm: Arm, demonstrator: str | None) -> Any:
        """The lm-eval task as the arm asks it."""
        study, run, loaded = self.resolved.study, self.resolved.run, self.resolved.loaded
        by = None
        if demonstrator is not None:
            listed = next(other for other in self.resolved.tasks if other.task == demonstrator)
            by = Demonstrator(loaded[demonstrator], listed)
        return formed(loaded[task.task], arm, Asking(study, run, task, by))

    def _fit(
        self,
        pair: Pair,
        arm: Arm,
        task: ListedTask,
        demonstrator: str | None,
        drawn: Demonstrations,
        draw: int | None,
    ) -> tuple[int, ...] | None:
        # Demonstrations of another task are others than those that the other arms of as many shots
        # have, and are fitted alone.
        arms = [arm] if demonstrator else [a for a in self.arms if a.form != "othertask"]
        ways = _ways(self.resolved, arms, pair, arm.shots)
        at = (task.task, demonstrator, arm.shots, draw, ways)
        if at not in self._kept:
            documents = evaluated(self._items(task.task), self.resolved.study.limit)
            self._kept[at] = kept_demonstrations(
                ways, lambda way: self._asked(task, way, demonstrator), documents, drawn
            )
        return self._kept[at]


def arm_identity(
    study: Study, arm: Arm, task: ListedTask, demonstrator: str | None, needs: str | None
) -> dict[str, object]:
    """What of the way of asking can move a score."""
    found = arm.identity()
    if study.answers.choose != "task":
        found["answers"] = study.answers.model_dump(mode="json")
    if arm.form is not None or study.answers.choose != "task":
        found["layout"] = study.layout.model_dump(mode="json")
        found["fields"] = [list(task.fields.items()), task.options]
    if arm.form == "marked":
        found["marker"] = study.marker()
    if demonstrator is not None:
        found["demonstrator"] = demonstrator
    if needs is not None:
        found["written"] = needs
    return found


def other_task(resolved: Resolved, task: ListedTask, draw: int | None) -> str:
    """The task of another type that demonstrates this one in a draw; ValueError if none does."""
    others = [other.task for other in resolved.tasks if other.task_type != task.task_type]
    if not others:
        raise ValueError(f"{task.task}: there is no task of another type to demonstrate it")
    return random.Random(f"other {resolved.study.seed} {draw} {task.task}").choice(others)


def drawn_for(items: TaskItems, arm: Arm, *, seed: int, draw: int | None) -> Demonstrations:
    """The demonstrations of a cell; none for an arm without."""
    if draw is None:
        return Demonstrations(())
    return demonstrations(items, seed=seed, draw=draw, shots=arm.shots)


def _ways(resolved: Resolved, arms: list[Arm], pair: Pair, shots: int) -> frozenset[Asked]:
    """The ways in which prompts of these shots are read, on both sides of every pair that shares
    the base."""
    ways = set()
    for other in resolved.pairs:
        if other.base == pair.base:
            for arm in arms:
                facts = resolved.models[other.member(arm.role)]
                if not applies(arm, writes=other.recipe is not None and other.recipe.writes):
                    continue
                if arm.shots == shots and not isinstance(facts, str) and facts.window is not None:
                    ways.add(Asked(arm, facts.tokenizer, facts.window, facts.folder, facts.dress))
    return frozenset(ways)
