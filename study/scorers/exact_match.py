"""`exact`: whether the answer equals the gold answer after normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from study.config.scorers import Answers
from study.scorers.base import Scorer
from study.tasks.prompt_forms.documents import normalised_answer


class ExactMatch(Scorer):
    """1 if the normalised answer equals the normalised gold answer, else 0."""

    name = "exact"

    @override
    def score(self, answer: str, gold: str, options: Sequence[str], answers: Answers) -> float:
        return float(normalised_answer(answer) == normalised_answer(gold))

    @override
    def chance(self, options: Sequence[int]) -> float:
        return 0.0
