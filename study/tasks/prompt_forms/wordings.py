"""The same question in other words: paraphrases, and an adversarial instruction.

wording1 … wording6   paraphrases of the layout, increasingly verbose
adversarial           an instruction not to answer, after the question
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field
from typing_extensions import override

from study.config.study import Study
from study.errors import StudyError
from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question
from study.validation import Strict

NUMBER_OF_WORDINGS = 6


class WordingParameters(Strict):
    """Which paraphrase."""

    number: int = Field(ge=1)
    "Number of the wording in the layout, from 1."


class Wording(PromptForm):
    """A question in one of the layout's paraphrases."""

    parameters: WordingParameters

    def __init__(self, number: int) -> None:
        self.name = f"wording{number}"  # type: ignore[misc]
        self.parameters = WordingParameters(number=number)

    def _template(self, context: PromptContext) -> str:
        return context.layout.wordings[self.parameters.number - 1]

    @override
    def problem(self, study: Study) -> StudyError | None:
        if self.parameters.number <= len(study.layout.wordings):
            return None
        return study.error(
            "layout.wordings",
            found=f"{len(study.layout.wordings)} wordings",
            expected=f"at least {self.parameters.number}, because of the form {self.name}",
        )

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return self._template(context).format(text=question.text)

    @override
    def identity(self, context: PromptContext) -> dict[str, object]:
        return {}  # the name has the number, and the layout is part of every form's identity

    @override
    def extra_text(self, context: PromptContext) -> str:
        return self._template(context).format(text="")


class Adversarial(PromptForm):
    """A question followed by an instruction not to answer it."""

    name = "adversarial"

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return context.layout.adversarial.format(text=question.text)

    @override
    def extra_text(self, context: PromptContext) -> str:
        return context.layout.adversarial.format(text="")
