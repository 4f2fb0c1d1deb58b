"""Prompts of a zoo task in any arm, rendered as a run renders them.

In: a study, a task's name. Out: text, questions, the task in an arm's form.
"""

from __future__ import annotations

from typing import Any

from study.config.arms import parse_arm
from study.config.study import Study
from study.tasks.demonstrations import Demonstrations, draw_demonstrations, fixed_sampler
from study.tasks.items import Document, task_items
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.prompt_forms import PromptContext, PromptForm, prompt_form
from study.tasks.prompt_forms.documents import Question
from study.tasks.prompted_task import AnswerScorer, Demonstrator, prompted_task
from study.tasks.suites import known_tasks


class ZooPrompts:
    """A zoo task with its items and the study that words it."""

    def __init__(self, study: Study, library: TaskLibrary, name: str) -> None:
        self.study, self.library = study, library
        self.context = PromptContext(study)
        self.listed = known_tasks()[name]
        self.task = library.load(name)
        self.items = task_items(self.task, name, shares_split=False)

    def document(self, index: int = 0) -> Document:
        """An item."""
        return self.items.items[index]

    def question(self, index: int = 0) -> Question:
        """An item as prompt forms see it."""
        return Question(self.task, self.listed, self.document(index).raw, index)

    def demonstrations(self, shots: int) -> Demonstrations:
        """The first draw."""
        return draw_demonstrations(self.items, seed=0, draw=0, shots=shots)

    def form(self, name: str) -> PromptForm:
        """The form of the arm `name`."""
        form = prompt_form(parse_arm(name))
        assert form is not None
        return form

    def prompted(
        self,
        arm: str,
        scorer: AnswerScorer | None = None,
        other: ZooPrompts | None = None,
        context: PromptContext | None = None,
    ) -> LmEvalTask:
        """The task in an arm's form; its demonstrations are those of `other`, by default its
        own."""
        source = other or self
        indices = {id(item.raw): item.index for item in self.items.items}
        task = prompted_task(
            self.task,
            self.listed,
            parse_arm(arm),
            context or self.context,
            scorer,
            demonstrator=Demonstrator(source.task, source.listed),
            index_of=lambda document: indices[id(document)],
        )
        task.sampler = fixed_sampler(source.demonstrations(parse_arm(arm).shots))
        return task

    def prompt(self, arm: str, **options: Any) -> str:
        """The prompt of the first item in an arm."""
        task = self.prompted(arm, **options)
        shots = parse_arm(arm).shots
        return str(task.fewshot_context(self.document().raw, num_fewshot=shots))
