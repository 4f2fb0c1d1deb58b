"""`marked`: the question with the context indicator's marker, as in tuning (Wang et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from study.config.study import Study
from study.errors import StudyError
from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question


def with_marker(content: str, marker: str) -> str:
    """The content of a user turn with the marker at its end."""
    return f"{content} {marker}"


class Marked(PromptForm):
    """A question that ends with the marker."""

    name = "marked"

    @override
    def problem(self, study: Study) -> StudyError | None:
        if study.tuning.indicators:
            return None
        return study.error(
            "tuning.indicators",
            found="none",
            expected="an indicator, whose marker the form `marked` shows",
        )

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return with_marker(question.text, context.study.marker())

    @override
    def identity(self, context: PromptContext) -> dict[str, object]:
        return {"marker": context.study.marker()}

    @override
    def extra_text(self, context: PromptContext) -> str:
        return with_marker("", context.study.marker())
