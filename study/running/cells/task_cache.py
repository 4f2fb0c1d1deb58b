"""Tasks as arms ask them, loaded once for all cells of a process.

In: a cell. Out: its lm-eval task in the arm's form, with its items; what a model's own
demonstrations are worth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.config.study import Study
from study.planning.cells import Cell
from study.results.cell_store.store import Cells
from study.tasks.items import Document, TaskItems, task_items
from study.tasks.lm_eval_tasks import Harness
from study.tasks.prompt_forms.documents import answer_of, fields_of
from study.tasks.prompt_forms.forms import Asking, Demonstrator, formed
from study.tasks.prompt_forms.self_written import check_written
from study.tasks.suites import study_tasks


class AskedTasks:
    """The tasks of a study, remembered."""

    def __init__(self, study: Study, run: Path, harness: Harness, cells: Cells) -> None:
        self._study, self._run, self._harness, self._cells = study, run, harness, cells
        self._loaded: dict[str, tuple[Any, TaskItems]] = {}
        self._listed = {task.task: task for task in study_tasks(study, run)}

    def task(self, name: str) -> tuple[Any, TaskItems]:
        """The lm-eval task as it is, and its items."""
        if name not in self._loaded:
            entry = self._harness.entry(name, self._run)
            task = self._harness.load(name)
            self._loaded[name] = task, task_items(task, name, shares_split=entry.shares_split)
        return self._loaded[name]

    def asked(self, cell: Cell) -> tuple[Any, TaskItems]:
        """The cell's task in the arm's form, and its items."""
        task, items = self.task(cell.task.task)
        by = None
        if cell.demonstrator is not None:
            by = Demonstrator(self.task(cell.demonstrator)[0], self._listed[cell.demonstrator])
        written = {}
        if cell.needs is not None:
            found = self._cells.items(cell.needs, ["item", "text"]).to_pydict()
            written = dict(zip(found["item"], found["text"], strict=True))
        places = {id(item.raw): item.place for item in items.items}
        asking = Asking(
            self._study, self._run, cell.task, by, written, lambda document: places[id(document)]
        )
        return formed(task, cell.arm, asking), items

    def check_written(
        self, cell: Cell, documents: tuple[Document, ...], rows: list[dict[str, Any]]
    ) -> dict[str, float] | None:
        """What the demonstrations are worth that a model wrote; None where it wrote none."""
        if cell.arm.form != "writes":
            return None
        task, _ = self.task(cell.task.task)
        answers = [answer_of(task, document.raw) for document in documents]
        fields = [fields_of(task, document.raw, cell.task.fields) for document in documents]
        return check_written([row["text"] for row in rows], fields, answers, self._study.layout)
