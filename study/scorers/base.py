"""What a scorer is: from a response to a number between 0 and 1, with its chance level.

In: a response, the question with its options and gold answer, the study's settings. Out: a score.
All scorers read answers with the same extraction rule (extraction.py), so that arms are measured
alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from study.config.arms import Arm
from study.config.scorers import Answers
from study.scorers.extraction import extract_answer
from study.tasks.prompt_forms import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question


class Scorer(ABC):
    """Scores the answer that is extracted from a generated response."""

    name: ClassVar[str]
    "Name of the scorer as the value of `answers.choose`."
    needs_options: ClassVar[bool] = False
    "Whether every item must list its options."

    @abstractmethod
    def score(self, answer: str, gold: str, options: Sequence[str], answers: Answers) -> float:
        """The score of an extracted answer, from 0 to 1."""

    @abstractmethod
    def chance(self, options: Sequence[int]) -> float:
        """The expected score of random guessing, given the number of options of each item."""

    def identity(self, answers: Answers) -> dict[str, object]:
        """Everything about the scorer that can move a score."""
        return {"choose": self.name, "extraction": answers.extraction}

    def score_response(
        self,
        response: str,
        question: Question,
        arm: Arm,
        form: PromptForm | None,
        context: PromptContext,
    ) -> float:
        """Extract the answer from a response and score it."""
        answers = context.study.answers
        options, gold = question.options, question.answer
        if form is not None:
            options, gold = form.solution(question, context)
        answer = extract_answer(response, context.layout, answers.extraction, arm.role, options)
        if form is not None:
            answer = form.extract(answer, options, context)
        return self.score(answer, gold, options, answers)
