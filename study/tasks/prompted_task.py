"""An lm-eval task in an arm's prompt form, with answers scored by the study's scorer.

In: a loaded task, a form, a scorer. Out: one task object with the same items, whose prompts and
scores are those of the arm; everything else about it is lm-eval's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from study.config.arms import Arm
from study.config.tasks import ListedTask
from study.errors import StudyError
from study.tasks.lm_eval.types import LmEvalDocument, LmEvalTask
from study.tasks.prompt_forms import PromptContext, PromptForm, prompt_form
from study.tasks.prompt_forms.documents import Question


class AnswerScorer(Protocol):
    """What a task needs of a scorer (study.scorers)."""

    def score_response(
        self,
        response: str,
        question: Question,
        arm: Arm,
        form: PromptForm | None,
        context: PromptContext,
    ) -> float:
        """The score of a response, from 0 to 1."""


@dataclass(frozen=True)
class Demonstrator:
    """The task that demonstrations come from."""

    task: LmEvalTask
    listed: ListedTask


def prompted_task(
    task: LmEvalTask,
    listed: ListedTask,
    arm: Arm,
    context: PromptContext,
    scorer: AnswerScorer | None,
    *,
    demonstrator: Demonstrator | None = None,
    index_of: Callable[[LmEvalDocument], int] = lambda document: -1,
) -> LmEvalTask:
    """The task in the arm's form; the task itself for lm-eval's own prompt and metric.

    `scorer` is None where the task's own metric scores. `demonstrator` is another task that
    demonstrations come from; `index_of` gives an item's index in its split.
    """
    form = prompt_form(arm)
    if form is None and scorer is None:
        return task
    if task.multiple_input:
        raise StudyError(
            listed.task,
            found="choices that are whole texts",
            expected=f"a task that can be evaluated as {arm.name}",
        )
    # A subclass of the task's own class, since tasks may be of classes of their own.
    kind = type("PromptedTask", (PromptedTask, type(task)), {})
    prompted: PromptedTask = object.__new__(kind)
    prompted.__dict__.update(task.__dict__)
    prompted.original, prompted.listed, prompted.arm = task, listed, arm
    prompted.form, prompted.context, prompted.scorer = form, context, scorer
    prompted.demonstrator = demonstrator or Demonstrator(task, listed)
    prompted.index_of = index_of
    if scorer is not None:
        prompted.generate_responses()
    return prompted  # type: ignore[return-value]


class PromptedTask:
    """Overrides what a form or a scorer changes about a task; mixed into the task's class."""

    original: LmEvalTask
    listed: ListedTask
    arm: Arm
    form: PromptForm | None
    context: PromptContext
    scorer: AnswerScorer | None
    demonstrator: Demonstrator
    index_of: Callable[[LmEvalDocument], int]
    sampler: Any

    def generate_responses(self) -> None:
        """Make it a task whose responses are generated and scored by `scorer`."""
        from lm_eval.filters import build_filter_ensemble

        answers, layout = self.context.study.answers, self.context.layout
        form = self.form
        stops, tokens = form.generation(answers, layout) if form else (["\n"], answers.tokens)
        self.OUTPUT_TYPE = "generate_until"
        config: Any = copy.copy(self.original.config)
        config.generation_kwargs = {
            "until": [stop for stop in stops if stop],
            "do_sample": False,
            "max_gen_toks": tokens,
        }
        self._config = config
        self._filters = [build_filter_ensemble("answer", [("take_first", None)])]

    def _question(self, document: LmEvalDocument, template: Any = None) -> Question:
        index = self.index_of(document) if self.form and self.form.reads else -1
        return Question(self.original, self.listed, document, index, template)

    def doc_to_text(self, doc: LmEvalDocument, *rest: Any) -> Any:
        """The question, reworded."""
        if self.form is None or self.form.whole_prompt:
            return self.original.doc_to_text(doc, *rest)
        return self.form.render(self._question(doc, *rest), (), self.context)

    def doc_to_choice(self, doc: LmEvalDocument, *rest: Any) -> list[str]:
        """The choices, reworded."""
        if self.form is None or not self.form.rewords_answers:
            return self.original.doc_to_choice(doc, *rest)
        return self.form.choices(self.original.doc_to_choice(doc), self.context)

    def doc_to_target(self, doc: LmEvalDocument, *rest: Any) -> Any:
        """The target, reworded."""
        if self.form is None or not self.form.rewords_answers:
            return self.original.doc_to_target(doc, *rest)
        target = self.original.doc_to_target(doc, *rest)
        return self.form.target(target, self._question(doc), self.context)

    def fewshot_context(self, doc: LmEvalDocument, num_fewshot: int, **rest: Any) -> Any:
        """The prompt of a document."""
        if self.form is None or not self.form.whole_prompt:
            return super().fewshot_context(doc, num_fewshot=num_fewshot, **rest)  # type: ignore[misc]
        shown = self.sampler.sample(n=num_fewshot, eval_doc=doc) if num_fewshot else []
        demonstrator = self.demonstrator
        demonstrations = [Question(demonstrator.task, demonstrator.listed, each) for each in shown]
        return self.form.render(self._question(doc), demonstrations, self.context)

    def process_results(self, doc: LmEvalDocument, results: list[Any]) -> dict[str, Any]:
        """The score of a document's response."""
        if self.scorer is None:
            return super().process_results(doc, results)  # type: ignore[misc, no-any-return]
        question = Question(self.original, self.listed, doc)
        score = self.scorer.score_response(results[0], question, self.arm, self.form, self.context)
        return {self.context.study.answers.metric: score}

    def aggregation(self) -> dict[str, Any]:
        """The mean, for the study's scorer."""
        if self.scorer is None:
            return super().aggregation()  # type: ignore[misc, no-any-return]
        from lm_eval.api.metrics import mean

        return {self.context.study.answers.metric: mean}
