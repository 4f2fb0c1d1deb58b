"""`similarity`: whether the option most similar to the answer is the gold one.

Similarity is the character n-gram F-score (chrF; Popović 2015) or BERTScore's F1 (Zhang et al.
2020, equation 1, without idf weights).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from typing_extensions import override

from study.config.scorers import Answers
from study.models.folders.loading import load_encoder
from study.models.folders.location import model_folder
from study.models.pairs import ModelRef
from study.models.tokenizers import load_tokenizer
from study.models.weights import folder_facts
from study.scorers.base import Scorer
from study.tasks.prompt_forms.documents import normalised_answer

Similarity = Callable[[str, Sequence[str]], list[float]]
"Maps a text and several others to the similarity with each."


class OptionSimilarity(Scorer):
    """1 if the most similar option (the first of ties) is the gold answer, else 0."""

    name = "similarity"
    needs_options = True

    @override
    def score(self, answer: str, gold: str, options: Sequence[str], answers: Answers) -> float:
        candidates = [normalised_answer(option) for option in options]
        values = similarity(answers)(normalised_answer(answer), candidates)
        best = candidates[values.index(max(values))]
        return float(best == normalised_answer(gold))

    @override
    def identity(self, answers: Answers) -> dict[str, object]:
        identity = {**super().identity(answers), "similarity": answers.similarity}
        if answers.similarity == "bertscore":
            folder = _encoder_folder(answers.bertscore_model)
            facts = folder_facts(folder, allow_pickled_weights=False)
            identity["encoder"] = [facts.weights, facts.tokenizer, answers.bertscore_layer]
        return identity

    @override
    def chance(self, options: Sequence[int]) -> float:
        return fmean(1 / number for number in options)


def similarity(answers: Answers) -> Similarity:
    """The similarity that the study chooses."""
    if answers.similarity == "chrf":
        return _chrf()
    return _bertscore(answers.bertscore_model, answers.bertscore_layer)


@cache
def _chrf() -> Similarity:
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()

    def similarities(text: str, others: Sequence[str]) -> list[float]:
        return [metric.sentence_score(text, [other]).score / 100 for other in others]

    return similarities


@cache
def _bertscore(model: str, layer: int) -> Similarity:
    import torch

    folder = _encoder_folder(model)
    tokenizer, encoder = load_tokenizer(folder), load_encoder(folder)

    def embedded(text: str) -> Any:
        with torch.no_grad():
            encoding = tokenizer(text, return_tensors="pt", truncation=True)
            output = encoder(encoding.input_ids, output_hidden_states=True)
        return torch.nn.functional.normalize(output.hidden_states[layer][0].float(), dim=-1)

    def similarities(text: str, others: Sequence[str]) -> list[float]:
        embedding = embedded(text)
        return [_f1(embedding, embedded(other)) for other in others]

    return similarities


def _encoder_folder(model: str) -> Path:
    """The folder of the encoder, which is named by a folder or a hub name."""
    return model_folder(ModelRef(str(Path(model).resolve()) if Path(model).is_dir() else model))


def _f1(first: Any, second: Any) -> float:
    """F1 of greedy token matching in both directions."""
    cosine = first @ second.T
    precision, recall = float(cosine.max(1).values.mean()), float(cosine.max(0).values.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
