"""Demonstrations and question field by field, in plain text, and controls of that form.

    fields       fields and answers under their names (Gold-Pipeline, with 2 shots)
    corrupted    demonstrations whose fields and answers are blank
    othertask    demonstrations of a task of another type
    unanswered   demonstrations without answers
    neutral      fields under uninformative names

After Bigoulaeva et al. (2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override

from study.config.wording import Fields, Layout
from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question


class FieldByField(PromptForm):
    """Every field of a demonstration and of the question on its own line."""

    name = "fields"
    whole_prompt = True
    min_shots: ClassVar[int] = 0
    "Demonstrations that the form needs to differ from the plain one."

    @override
    def fits(self, role: str, shots: int, chat: bool) -> str:
        if chat:
            return f"no chat template where the form is {self.name}, which is plain text"
        if shots < self.min_shots:
            return f"demonstrations, one shot at least, where the form is {self.name}"
        return ""

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        layout = context.layout
        parts = [
            self.demonstration(demonstration, number, layout).rstrip() + layout.after
            for number, demonstration in enumerate(demonstrations, start=1)
        ]
        return "".join(parts) + layout.question(self.question_fields(question, layout))

    def demonstration(self, question: Question, number: int, layout: Layout) -> str:
        """A demonstration, without the separator after it."""
        return layout.demonstration(question.fields, question.answer, number)

    def question_fields(self, question: Question, layout: Layout) -> Fields:
        """The fields of the question itself."""
        return question.fields


class Corrupted(FieldByField):
    """Demonstrations that contain nothing but the layout."""

    name = "corrupted"
    min_shots = 1

    @override
    def demonstration(self, question: Question, number: int, layout: Layout) -> str:
        fields = tuple((name, layout.blank) for name, _ in question.fields)
        return layout.demonstration(fields, layout.blank, number)


class OtherTask(FieldByField):
    """Demonstrations of a task of another type."""

    name = "othertask"
    min_shots = 1
    demonstrations_from = "other_type"


class Unanswered(FieldByField):
    """Demonstrations without answers."""

    name = "unanswered"
    min_shots = 1

    @override
    def demonstration(self, question: Question, number: int, layout: Layout) -> str:
        return layout.demonstration(question.fields, "", number)


class Neutral(FieldByField):
    """Fields under names that say nothing about the task."""

    name = "neutral"

    @override
    def demonstration(self, question: Question, number: int, layout: Layout) -> str:
        return layout.demonstration(layout.unnamed(question.fields), question.answer, number)

    @override
    def question_fields(self, question: Question, layout: Layout) -> Fields:
        return layout.unnamed(question.fields)
