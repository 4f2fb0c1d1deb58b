"""Making cells: from a position in the tables to a cell with its key.

In: `ResolvedStudy`, and a position in the tables. Out: `Cell`. Nothing is run or written here. A
cell whose model or data is not on this machine has no key yet, and says why.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.config.arms import Arm
from study.config.tasks import ListedTask
from study.models.pairs import Pair
from study.planning.cells.cell import Cell
from study.planning.cells.identity import (
    VLLM,
    model_identity,
    prompts_identity,
    scorer_identity,
)
from study.planning.cells.truncation import known_kept
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.identity import Identity, cell_identity, cell_key, responses_key
from study.tasks.demonstrations import Demonstrations, draw_demonstrations
from study.tasks.items import TaskItems
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.prompt_forms import PromptContext, applies, prompt_form
from study.tasks.prompted_task import Demonstrator, prompted_task
from study.tasks.truncation import PromptVariant, VariantError, kept_digest

Position = tuple[str, str, str, str, int | None]
"Pair, role, arm, task and draw: what identifies a number in the tables."


class CellFactory:
    """Makes cells, each once, and caches what many of them share."""

    def __init__(
        self, resolved: ResolvedStudy, arms: list[Arm], evaluated: Mapping[Position, Identity]
    ) -> None:
        """`evaluated`: identities of responses that exist, for cells whose models are gone."""
        self.resolved, self.arms, self.evaluated = resolved, arms, evaluated
        self.cells: dict[tuple[Any, ...], Cell] = {}
        self._draws: dict[tuple[Any, ...], Demonstrations] = {}
        self._kept: dict[tuple[Any, ...], tuple[int, ...] | None] = {}
        self._unreadable: dict[tuple[str, Path], str] = {}
        "By task and model folder, why the model's prompts cannot be made."

    def cell(self, pair: Pair, arm: Arm, task: ListedTask, draw: int | None) -> Cell:
        """The cell at a position, with its key if everything it depends on is available."""
        form = prompt_form(arm)
        writer = pair.tuned if form is not None and form.reads else None
        rendering = self.resolved.renderings.get((pair.name, arm.name))
        index = (pair.member(arm.role), arm.name, task.task, draw, writer, rendering)
        if index not in self.cells:
            cell = self._make(pair, arm, task, draw)
            if cell.key is None:
                cell = self._evaluated_before(cell, pair)
            self.cells[index] = cell
        return self.cells[index]

    def _evaluated_before(self, cell: Cell, pair: Pair) -> Cell:
        """A cell whose model is gone, with the keys of its responses if there are any."""
        position = (pair.name, cell.arm.role, cell.arm.name, cell.task.task, cell.draw)
        responses, items = self.evaluated.get(position), self.resolved.items[cell.task.task]
        if responses is None or isinstance(items, str):
            return cell
        scorer = scorer_identity(self.resolved, cell.arm, cell.task, items)
        identity = cell_identity(responses, scorer)
        return replace(
            cell,
            key=cell_key(identity),
            responses=responses_key(responses),
            identity=identity,
            demonstrator=responses["prompts"].get("demonstrator", {}).get("name"),
            needs=responses["prompts"].get("reads"),
            missing="",
        )

    def _make(self, pair: Pair, arm: Arm, task: ListedTask, draw: int | None) -> Cell:
        resolved = self.resolved
        model = pair.member(arm.role)
        facts, items = resolved.models[model], resolved.items[task.task]
        rendering = resolved.renderings.get((pair.name, arm.name))
        for reason in (facts, rendering, items):
            if isinstance(reason, str):
                return Cell(model, arm, task, draw, missing=reason)
        assert not isinstance(facts, str)
        assert not isinstance(items, str)
        assert not isinstance(rendering, str)
        form, demonstrator, needs = prompt_form(arm), None, None
        try:
            if form is not None and form.demonstrations_from == "other_type":
                demonstrator = other_task(resolved, task, draw)
            pool = self._items(demonstrator) if demonstrator else items
            demonstrations = self._demonstrations(pool, arm, draw)
        except ValueError as error:
            return Cell(model, arm, task, draw, missing=str(error))
        if form is not None and form.reads is not None:
            reads = next(other for other in self.arms if other.form == form.reads)
            written = self.cell(pair, reads, task, None)
            if written.responses is None:
                return Cell(model, arm, task, draw, missing=written.missing)
            needs = written.responses
        kept = None
        if arm.shots:
            kept = self._truncate(pair, arm, task, demonstrator, demonstrations, draw)
            if unreadable := self._unreadable.get((task.task, facts.folder)):
                return Cell(model, arm, task, draw, missing=unreadable)
        identity = cell_identity(
            {
                "model": model_identity(
                    resolved,
                    facts,
                    arm,
                    by_vllm=arm.engine == VLLM
                    and self._task(task, arm, demonstrator).OUTPUT_TYPE == "generate_until",
                ),
                "prompts": prompts_identity(
                    resolved,
                    arm,
                    task,
                    items,
                    demonstrations=demonstrations.digest,
                    demonstrator=self._items(demonstrator) if demonstrator else None,
                    kept=kept_digest(kept),
                    reads=needs,
                    rendering=rendering,
                ),
            },
            scorer_identity(resolved, arm, task, items),
        )
        return Cell(
            model,
            arm,
            task,
            draw,
            key=cell_key(identity),
            responses=responses_key(identity["responses"]),
            identity=identity,
            kept=kept,
            demonstrator=demonstrator,
            needs=needs,
            rendering=rendering,
        )

    def _items(self, task: str) -> TaskItems:
        items = self.resolved.items[task]
        if isinstance(items, str):
            raise ValueError(items)
        return items

    def _demonstrations(self, items: TaskItems, arm: Arm, draw: int | None) -> Demonstrations:
        index = (items.task, arm.shots, draw)
        if index not in self._draws:
            seed = self.resolved.study.seed
            drawn = draw_demonstrations(items, seed=seed, draw=draw, shots=arm.shots)
            self._draws[index] = drawn
        return self._draws[index]

    def _task(self, task: ListedTask, arm: Arm, demonstrator: str | None) -> LmEvalTask:
        """The lm-eval task in the arm's form."""
        resolved = self.resolved
        other = None
        if demonstrator is not None:
            entry = next(entry for entry in resolved.tasks if entry.task == demonstrator)
            other = Demonstrator(resolved.loaded[demonstrator], entry)
        context = PromptContext(resolved.study)
        loaded = resolved.loaded[task.task]
        return prompted_task(loaded, task, arm, context, resolved.scorer, demonstrator=other)

    def _truncate(
        self,
        pair: Pair,
        arm: Arm,
        task: ListedTask,
        demonstrator: str | None,
        demonstrations: Demonstrations,
        draw: int | None,
    ) -> tuple[int, ...] | None:
        # Another task's demonstrations differ from those of the other arms with as many shots, so
        # they are truncated separately.
        arms = [arm] if demonstrator else [a for a in self.arms if not _from_other_task(a)]
        variants = _variants(self.resolved, arms, pair, arm.shots)
        index = (task.task, demonstrator, arm.shots, draw, variants)
        if index not in self._kept:
            readable = variants
            while index not in self._kept:
                try:
                    self._kept[index] = known_kept(
                        self.resolved,
                        task,
                        self._items(task.task),
                        self._items(demonstrator) if demonstrator else None,
                        demonstrations,
                        readable,
                        lambda variant_arm: self._task(task, variant_arm, demonstrator),
                    )
                except VariantError as error:  # the other models' prompts do not depend on it
                    folder = error.folder
                    self._unreadable[task.task, folder] = str(error)
                    readable = frozenset(v for v in readable if v.folder != folder)
        return self._kept[index]


def other_task(resolved: ResolvedStudy, task: ListedTask, draw: int | None) -> str:
    """The task of another type that demonstrations of a draw come from; ValueError if none."""
    others = [other.task for other in resolved.tasks if other.task_type != task.task_type]
    if not others:
        raise ValueError(f"{task.task}: there is no task of another type to demonstrate it")
    return random.Random(f"other {resolved.study.seed} {draw} {task.task}").choice(others)


def _from_other_task(arm: Arm) -> bool:
    form = prompt_form(arm)
    return form is not None and form.demonstrations_from == "other_type"


def _variants(
    resolved: ResolvedStudy, arms: list[Arm], pair: Pair, shots: int
) -> frozenset[PromptVariant]:
    """The variants in which prompts with these shots are read, on both sides of every pair that
    shares the base."""
    variants = set()
    for other in resolved.pairs:
        if other.base != pair.base:
            continue
        for arm in arms:
            facts = resolved.models[other.member(arm.role)]
            if not applies(arm, writes=other.writes_demonstrations):
                continue
            rendering = resolved.renderings.get((other.name, arm.name))
            if arm.shots != shots or isinstance(facts, str) or isinstance(rendering, str):
                continue
            if facts.window is not None:
                variants.add(
                    PromptVariant(
                        arm,
                        rendering,
                        facts.tokenizer,
                        facts.window,
                        facts.folder,
                        facts.overrides,
                    )
                )
    return frozenset(variants)
