"""The key `answers` of study.yaml: how responses are scored.

In: a part of the study file. Out: a frozen `Answers`. The scorers themselves are in
`study.scorers`; whether `choose` names a registered one is checked when the study is resolved.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from study.validation import Strict

TASK_METRIC = "task"
"The value of `choose` that leaves scoring to each task's own metric."


class Answers(Strict):
    """How an answer is extracted from a response and scored."""

    choose: str = TASK_METRIC
    """The scorer: `task` is the task's own metric; `exact`, equality with the gold answer;
    `similarity`, the option most similar to the answer."""
    extraction: Literal["same", "as_released"] = "same"
    "One extraction rule for all arms, or the two rules of Bigoulaeva et al. (2025)."
    similarity: Literal["chrf", "bertscore"] = "chrf"
    "Character n-gram F-score (Popović 2015), or BERTScore F1 (Zhang et al. 2020)."
    bertscore_model: str = "roberta-large"
    "Folder or hub name of BERTScore's encoder."
    bertscore_layer: int = Field(default=17, ge=1, le=1000)
    "Layer whose hidden states BERTScore compares."
    tokens: int = Field(default=250, ge=1, le=1_000_000)
    "Maximum tokens of a response."
    writing_tokens: int = Field(default=1024, ge=1, le=1_000_000)
    "Maximum tokens of a response that contains self-written demonstrations."

    @property
    def metric(self) -> str:
        """Name of the score in tables."""
        released = "_as_released" if self.extraction == "as_released" else ""
        return f"answer_{self.choose}{released}"

    def generation(self) -> dict[str, object]:
        """What decides the responses: whether they are generated for a scorer, and their length."""
        if self.choose == TASK_METRIC:
            return {}
        return {"tokens": self.tokens, "writing_tokens": self.writing_tokens}
