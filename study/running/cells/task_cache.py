"""Tasks in the forms of arms, loaded once for all cells of a process.

In: a cell. Out: its lm-eval task in the arm's form, with its items; and what the form measures of
the responses.
"""

from __future__ import annotations

import pyarrow as pa

from study.planning.cells.cell import Cell
from study.results.run import Run
from study.scorers import study_scorer
from study.tasks.items import Document, TaskItems
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.prompt_forms import PromptContext, prompt_form
from study.tasks.prompt_forms.documents import Question
from study.tasks.prompted_task import Demonstrator, prompted_task
from study.tasks.suites import study_tasks


class TaskCache:
    """The tasks of a study."""

    def __init__(self, run: Run, library: TaskLibrary) -> None:
        self._run, self._library = run, library
        self._loaded: dict[str, tuple[LmEvalTask, TaskItems]] = {}
        self._listed = {task.task: task for task in study_tasks(run.study)}
        self._scorer = study_scorer(run.study)

    def task(self, name: str) -> tuple[LmEvalTask, TaskItems]:
        """The lm-eval task without a form, and its items."""
        if name not in self._loaded:
            self._loaded[name] = self._library.load_items(name, self._run.study.file)
        return self._loaded[name]

    def prompted(self, cell: Cell) -> tuple[LmEvalTask, TaskItems]:
        """The cell's task in the arm's form, and its items."""
        task, items = self.task(cell.task.task)
        demonstrator = None
        if cell.demonstrator is not None:
            other, _ = self.task(cell.demonstrator)
            demonstrator = Demonstrator(other, self._listed[cell.demonstrator])
        responses = {}
        if cell.needs is not None:
            table = self._run.responses.items(cell.needs, ["item", "texts"]).to_pydict()
            texts = (texts[0] for texts in table["texts"])
            responses = dict(zip(table["item"], texts, strict=True))
        indices = {id(item.raw): item.index for item in items.items}
        prompted = prompted_task(
            task,
            cell.task,
            cell.arm,
            PromptContext(self._run.study, responses),
            self._scorer,
            demonstrator=demonstrator,
            index_of=lambda document: indices[id(document)],
        )
        return prompted, items

    def response_summary(
        self, cell: Cell, documents: tuple[Document, ...], responses: pa.Table
    ) -> dict[str, float] | None:
        """What the arm's form measures of the responses; None where it measures nothing."""
        form = prompt_form(cell.arm)
        if form is None:
            return None
        task, _ = self.task(cell.task.task)
        questions = [Question(task, cell.task, document.raw) for document in documents]
        texts = [texts[0] if texts else "" for texts in responses["texts"].to_pylist()]
        return form.response_summary(texts, questions, PromptContext(self._run.study))
