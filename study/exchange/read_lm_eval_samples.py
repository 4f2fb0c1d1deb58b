"""Reading the items that lm-eval 0.4.x logs, `samples_<task>_*.jsonl`.

In: a file, what the study knows about its task, and the results that it belongs to. Out: `Samples`:
for every item its score, the answer, and the passage that items share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.tasks import ListedTask
from study.errors import StudyError
from study.exchange.json_values import JsonValue, parse_json
from study.results.imported import ImportedItems
from study.results.schema import BY_LENGTH, text_code

SAME_MEAN = 1e-6
"Difference of two means that rounding explains."


@dataclass(frozen=True)
class Samples:
    """The items of a file, in the order of their documents."""

    path: Path
    items: ImportedItems
    passages: dict[int, int]
    "By item; empty where the task has no passages."

    def check_score(self, file: Path, score: float, n_items: int | None) -> None:
        """StudyError unless these are the items of a reported score."""
        scores = self.items["score"]
        if n_items is not None and len(scores) != n_items:
            raise StudyError(
                self.path,
                found=f"{len(scores)} items",
                expected=f"{n_items}, the number that {file.name} reports",
            )
        mean = math.fsum(scores) / len(scores)
        if abs(mean - score) > SAME_MEAN:
            raise StudyError(
                self.path,
                found=f"items with a mean of {mean!r}",
                expected=f"{score!r}, the score that {file.name} reports",
                do="Evaluate the model again, or remove this file to import the score alone",
            )


def read_samples(path: Path, task: ListedTask, wanted: str = "none") -> Samples | None:
    """The items whose answers the filter `wanted` extracted.

    None if the metric has no values by item; StudyError for an invalid line.
    """
    metric = task.metric.partition(",")[0]
    scores: dict[int, tuple[float, int | None]] = {}
    passages: dict[int, int] = {}
    without_score = 0
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StudyError(path, found=error.strerror, expected="a readable file") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        sample = parse_json(path, f"line {number}:", line)
        if (sample.get("filter").text() or wanted) != wanted:
            continue
        item = sample.get("doc_id").whole()
        if item in scores:
            raise sample.get("doc_id").error("each item once")
        score = sample.get(metric)
        if isinstance(score.value, dict | list):
            without_score += 1
            scores[item] = 0.0, None
            continue
        scores[item] = _number(score) * task.scale, _choice(sample, metric)
        if task.passage is not None:
            passage = sample.get("doc").get(task.passage)
            if not isinstance(passage.value, str):
                raise passage.error("the passage of an item")
            passages[item] = text_code(passage.text())
    if without_score == len(scores) > 0:
        return None
    if without_score or not scores:
        found = f"{without_score} of {len(scores)} items without a number for {metric!r}"
        if not scores:
            found = f"no items of the filter {wanted!r}"
        raise StudyError(path, found=found, expected="items with scores")
    return _in_order(path, scores, passages)


def _in_order(
    path: Path, scores: dict[int, tuple[float, int | None]], passages: dict[int, int]
) -> Samples:
    order = sorted(scores)
    choices = [scores[item][1] for item in order]
    known = [choice for choice in choices if choice is not None]
    items: ImportedItems = {
        "item": order,
        "score": [scores[item][0] for item in order],
        "choice": known if len(known) == len(choices) else None,
    }
    return Samples(path, items, passages)


def _number(score: JsonValue) -> float:
    """An item's score; lm-eval writes true and false for some metrics."""
    return float(score.value) if isinstance(score.value, bool) else score.number()


def _choice(sample: JsonValue, metric: str) -> int | None:
    """Index of the likeliest option as the metric weighs it, or a code of a generated text."""
    responses = sample.get("resps").list_of(list)
    firsts = [response[0] for response in responses if response]
    if len(firsts) == 1 and isinstance(firsts[0], str):
        return text_code(JsonValue(sample.path, sample.get("resps").place, firsts[0]).text())
    if len(firsts) < 2 or not all(isinstance(first, list) for first in firsts):
        return None
    values = [_logprob(sample, first) for first in firsts]
    if metric == BY_LENGTH:
        arguments = sample.get("arguments")
        options = [arguments.get(f"gen_args_{i}").get("arg_1") for i in range(len(values))]
        values = [v / max(len(o.text()), 1) for v, o in zip(values, options, strict=True)]
    return max(range(len(values)), key=values.__getitem__)


def _logprob(sample: JsonValue, response: list[Any]) -> float:
    try:
        value = float(response[0])
    except (IndexError, TypeError, ValueError, OverflowError):
        value = math.nan
    if math.isnan(value) or value == math.inf:
        raise sample.get("resps").error("a log-probability of each option")
    return value
