"""What a prompt form is: a way of wording questions and demonstrations.

In: questions (documents.py) and a `PromptContext`. Out: text. A form either renders the whole
prompt by itself, in plain text (`whole_prompt`), or rewords each question and leaves the layout of
demonstrations, turns and chat template to lm-eval.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from study.config.scorers import Answers
from study.config.study import Study
from study.config.wording import Layout
from study.errors import StudyError
from study.tasks.prompt_forms.documents import Question
from study.validation import Strict


class NoParameters(Strict):
    """The parameters of a form that has none."""


@dataclass(frozen=True)
class PromptContext:
    """What a form may use besides the questions."""

    study: Study
    responses: Mapping[int, str] = field(default_factory=dict)
    "By item, the responses of the arm that the form reads (`PromptForm.reads`)."

    @property
    def layout(self) -> Layout:
        """The study's wording."""
        return self.study.layout


class PromptForm(ABC):
    """A way of wording questions and demonstrations.

    Subclasses set `name`, implement `render`, and override what differs from lm-eval's own prompt.
    """

    name: ClassVar[str]
    "Name of the form in arms."
    parameters: Strict = NoParameters()
    "Settings that can move a score; part of the identity."

    whole_prompt: ClassVar[bool] = False
    "Whether `render` returns the whole prompt, demonstrations included."
    demonstrations_from: ClassVar[Literal["own_task", "other_type"]] = "own_task"
    "Whether demonstrations come from the task itself, or from a task of another type."
    reads: ClassVar[str | None] = None
    "Name of the form whose responses are needed to render this one; None for most forms."
    for_writers: ClassVar[bool] = False
    "Whether only pairs are evaluated whose tuned model was trained to write demonstrations."
    needs_scorer: ClassVar[bool] = False
    "Whether answers must be extracted from the response, since no task metric applies."
    rewords_answers: ClassVar[bool] = False
    "Whether choices and targets are worded differently, not only questions."

    @abstractmethod
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        """The whole prompt, or the reworded question (then `demonstrations` is empty)."""

    def fits(self, role: str, shots: int, chat: bool) -> str:
        """Why an arm cannot have this form; empty if it can."""
        return ""

    def problem(self, study: Study) -> StudyError | None:
        """The error to raise if the study lacks something that the form needs."""
        return None

    def identity(self, context: PromptContext) -> dict[str, object]:
        """Parts of the cell's identity besides the form's name, the layout and the fields."""
        values = self.parameters.model_dump(mode="json")
        return {"parameters": values} if values else {}

    def extra_text(self, context: PromptContext) -> str:
        """Text that the form adds to every question; its tokens are part of the cost estimate."""
        return ""

    def choices(self, choices: list[str], context: PromptContext) -> list[str]:
        """The choices of a question as the form words them."""
        return choices

    def target(self, target: object, question: Question, context: PromptContext) -> object:
        """The target of a question (text, or an index into its choices) as the form words it."""
        return target

    def generation(self, answers: Answers, layout: Layout) -> tuple[list[str], int]:
        """(stop strings, maximum tokens) of a generated response."""
        return ["\n"], answers.tokens

    def solution(self, question: Question, context: PromptContext) -> tuple[list[str], str]:
        """(options, correct answer) that a response is scored against."""
        return question.options, question.answer

    def response_summary(
        self, responses: Sequence[str], questions: Sequence[Question], context: PromptContext
    ) -> dict[str, float] | None:
        """Measures of a cell's responses besides their scores, for its record; None for most."""
        return None

    def extract(self, answer: str, options: Sequence[str], context: PromptContext) -> str:
        """The option that an extracted answer stands for; by default the answer itself."""
        return answer
