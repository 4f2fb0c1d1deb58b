"""Reading the items that lm-eval 0.4.x logs, `samples_<task>_*.jsonl`.

In: a file, and what the study knows about its task. Out: `Samples`: for every item its score, the
answer, and the passage that items share.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.tasks import ListedTask
from study.errors import StudyError
from study.results.imported import ImportedItems
from study.results.schema import BY_LENGTH, text_code


@dataclass(frozen=True)
class Samples:
    """The items of a file, in the order of their documents."""

    path: Path
    items: ImportedItems
    passages: dict[int, int]
    "By item; empty where the task has no passages."


def read_samples(path: Path, task: ListedTask) -> Samples | None:
    """The items; None if the metric has no values by item, StudyError for an invalid line."""
    metric, _, wanted = task.metric.partition(",")
    scores: dict[int, tuple[float, int | None]] = {}
    passages: dict[int, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            sample = json.loads(line)
            if wanted and sample.get("filter", "none") != wanted:
                continue
            if not isinstance(sample[metric], int | float):
                return None
            item = int(sample["doc_id"])
            scores[item] = float(sample[metric]) * task.scale, _choice(sample, metric)
            if task.passage is not None:
                passages[item] = text_code(str(sample["doc"][task.passage]))
        except (ValueError, KeyError, TypeError):
            needed = f"{metric!r}" + (f" and doc.{task.passage}" if task.passage else "")
            raise StudyError(
                path, f"line {number}", found=f"no {needed}", expected="an item's score"
            ) from None
    order = sorted(scores)
    choices = [scores[item][1] for item in order]
    known = [choice for choice in choices if choice is not None]
    return Samples(
        path,
        {
            "item": order,
            "score": [scores[item][0] for item in order],
            "choice": known if len(known) == len(choices) else None,
        },
        passages,
    )


def _choice(sample: dict[str, Any], metric: str) -> int | None:
    """Index of the likeliest option as the metric weighs it, or a code of a generated text."""
    responses = sample.get("resps") or []
    firsts = [response[0] for response in responses if response]
    if len(firsts) == 1 and isinstance(firsts[0], str):
        return text_code(firsts[0])
    if len(firsts) < 2 or not all(isinstance(first, list) for first in firsts):
        return None
    values = [float(first[0]) for first in firsts]
    if metric == BY_LENGTH:
        arguments = sample.get("arguments") or {}
        lengths = [len(arguments[f"gen_args_{i}"]["arg_1"]) for i in range(len(values))]
        values = [v / max(n, 1) for v, n in zip(values, lengths, strict=True)]
    return max(range(len(values)), key=values.__getitem__)
