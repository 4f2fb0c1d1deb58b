"""`lettered`: the question with lettered options, answered by a letter."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question


class Lettered(PromptForm):
    """Options are listed under letters; choices and targets become letters."""

    name = "lettered"
    rewords_answers = True

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return context.layout.with_options(question.text, question.options)

    @override
    def choices(self, choices: list[str], context: PromptContext) -> list[str]:
        return list(context.layout.letters[: len(choices)])

    @override
    def target(self, target: object, question: Question, context: PromptContext) -> object:
        if question.task.config.doc_to_choice is not None:
            return target  # an index into the choices
        return context.layout.letters[question.options.index(question.answer)]

    @override
    def extract(self, answer: str, options: Sequence[str], context: PromptContext) -> str:
        return option_of_letter(answer, options, context.layout.letters)


def option_of_letter(answer: str, options: Sequence[str], letters: str) -> str:
    """The option under a single letter, or the answer itself if it is none.

    >>> option_of_letter("b)", ["red", "blue"], "ABCD")
    'blue'
    """
    letter_only = answer.strip().rstrip(").:").strip()
    for letter, option in zip(letters, options, strict=False):
        if letter_only.lower() == letter.lower():
            return option
    return answer
