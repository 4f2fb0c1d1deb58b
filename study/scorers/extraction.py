"""Reading an answer out of what a model wrote, alike for every arm, and scoring it.

In: a text, a question's options. Out: the answer; 1 or 0.

One extractor serves all arms: what follows the last answer cue, or without a cue the first line
that is not empty. `as_released` is that of Bigoulaeva et al. (2025): a tuned model that does not
write the cue has answered nothing, while of a base model a cue, an option named anywhere in the
first line, or the whole line will do. The arms are then not measured alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import Field

from study.config.wording import Layout
from study.validation import Strict

Similarity = Callable[[str, Sequence[str]], list[float]]
"A text and several others: how alike it is to each."


class Answers(Strict):
    """How answers are taken from what models write."""

    choose: Literal["task", "exact", "similarity"] = "task"
    "As the task's own metric does; by equality with the gold answer; or as the option most alike."
    extraction: Literal["same", "as_released"] = "same"
    similarity: Literal["chrf", "bertscore"] = "chrf"
    "Character n-gram F (Popović 2015), or BERTScore F1 (Zhang et al. 2020)."
    bertscore_model: str = "roberta-large"
    "Folder or hub name of the model that BERTScore compares by."
    bertscore_layer: int = Field(default=17, ge=1)
    tokens: int = Field(default=250, ge=1)
    "Longest answer."
    writing_tokens: int = Field(default=1024, ge=1)
    "Longest text of a model that writes demonstrations before it answers."

    @property
    def metric(self) -> str:
        """What the score is called."""
        released = "_as_released" if self.extraction == "as_released" else ""
        return f"answer_{self.choose}{released}"


def extracted(text: str, layout: Layout) -> str:
    """The answer in a text.

    >>> from study.config.wording import SOURCE
    >>> extracted("Answer 1: no\\nAnswer Solution: 'Yes.'\\nEND_EXAMPLES", SOURCE)
    'Yes'
    """
    return _plain(_first_line(text.rpartition(layout.cue())[2]), layout)


def extracted_as_released(text: str, layout: Layout, *, tuned: bool, options: Sequence[str]) -> str:
    """The same by the source's two rules."""
    cue = layout.cue()
    if tuned:
        return _plain(_first_line(text.rpartition(cue)[2]), layout) if cue in text else ""
    line = _first_line(text)
    if cue in line:
        return _plain(line.rpartition(cue)[2], layout)
    named = [option for option in options if option.strip() and option.strip() in line]
    return named[0].strip() if named else _plain(line, layout)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def _plain(answer: str, layout: Layout) -> str:
    end = layout.end.strip()
    cut = answer.partition(end)[0] if end else answer
    return cut.strip().strip("\"'").rstrip(".").strip("\"' ")


def normalised(answer: str) -> str:
    """Lower case, single spaces, no quotes, no final stop."""
    return re.sub(r"\s+", " ", answer.strip().strip("\"'").rstrip(".").lower()).strip()


def of_letter(answer: str, options: Sequence[str], letters: str) -> str:
    """The option that a lone letter stands for, or the answer as it is.

    >>> of_letter("b)", ["red", "blue"], "ABCD")
    'blue'
    """
    alone = answer.strip().rstrip(").:").strip()
    for letter, option in zip(letters, options, strict=False):
        if alone.lower() == letter.lower():
            return option
    return answer


def score(answer: str, gold: str, options: Sequence[str], how: Answers) -> float:
    """1 if the answer is right, by equality or as the most similar option (the first of equals)."""
    if how.choose == "exact":
        return float(normalised(answer) == normalised(gold))
    alike = similarity(how)(normalised(answer), [normalised(option) for option in options])
    return float(normalised(options[alike.index(max(alike))]) == normalised(gold))


def similarity(how: Answers) -> Similarity:
    """The scorer of that name."""
    if how.similarity == "chrf":
        return _chrf()
    return _bertscore(how.bertscore_model, how.bertscore_layer)


@cache
def _chrf() -> Similarity:
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()

    def alike(text: str, others: Sequence[str]) -> list[float]:
        return [metric.sentence_score(text, [other]).score / 100 for other in others]

    return alike


@cache
def _bertscore(model: str, layer: int) -> Similarity:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    encoder = AutoModel.from_pretrained(model, local_files_only=True).eval()

    def embedded(text: str) -> Any:
        with torch.no_grad():
            read = tokenizer(text, return_tensors="pt", truncation=True)
            made = encoder(read.input_ids, output_hidden_states=True)
        return torch.nn.functional.normalize(made.hidden_states[layer][0].float(), dim=-1)

    def alike(text: str, others: Sequence[str]) -> list[float]:
        own = embedded(text)
        return [_f1(own, embedded(other)) for other in others]

    return alike


def _f1(one: Any, other: Any) -> float:
    """Greedy matching of tokens both ways (Zhang et al. 2020, equation 1), without idf weights."""
    cosine = one @ other.T
    precision, recall = float(cosine.max(1).values.mean()), float(cosine.max(0).values.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
