"""Draws: the fixed sets of demonstrations of a task.

In: a task's pool, a seed, the number of a draw. Out: the pool in the draw's order; k demonstrations
are its first k, so five begin with the same four. The order depends on the documents' content, the
task's name, the seed and the draw, and on nothing else: not on the item, the model, the limit or
the number of processes. Where the task has answer classes, each round of the order has every class
once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from study.results.identity import digest
from study.tasks.items import Document, TaskItems
from study.tasks.lm_eval.identity import documents_digest
from study.tasks.lm_eval.types import LmEvalSampler


@dataclass(frozen=True)
class Demonstrations:
    """The first documents of a draw, in order."""

    documents: tuple[Document, ...]

    @cached_property
    def digest(self) -> str | None:
        """sha256 over the documents in order, as they are rendered and with all their fields; None
        without demonstrations."""
        if not self.documents:
            return None
        rendered = [document.digest() for document in self.documents]
        return digest([rendered, documents_digest(each.raw for each in self.documents)])


def draw_demonstrations(
    items: TaskItems, *, seed: int, draw: int | None, shots: int
) -> Demonstrations:
    """The first `shots` documents of a draw; ValueError if the pool holds fewer.

    `draw` is None for arms without demonstrations, which have none.
    """
    if draw is None:
        return Demonstrations(())
    if shots > len(items.pool):
        raise ValueError(
            f"{items.task}: {shots} demonstrations are wanted and the pool holds {len(items.pool)}"
        )
    return Demonstrations(tuple(_ordered(items, seed, draw)[:shots]))


def _ordered(items: TaskItems, seed: int, draw: int) -> list[Document]:
    def rank(*parts: Any) -> str:
        return hashlib.sha256(repr((items.task, seed, draw, *parts)).encode()).hexdigest()

    shuffled = sorted(items.pool, key=lambda document: rank(document.digest()))
    if not items.classes:
        return shuffled
    queues: dict[str, list[Document]] = {}
    for document in shuffled:
        queues.setdefault(document.target, []).append(document)
    ordered: list[Document] = []
    turn = 0
    while len(ordered) < len(shuffled):
        turn += 1
        for answer in sorted(queues, key=lambda answer: rank("class", turn, answer)):
            if len(queues[answer]) >= turn:
                ordered.append(queues[answer][turn - 1])
    return ordered


def fixed_sampler(demonstrations: Demonstrations) -> LmEvalSampler:
    """A sampler for lm-eval that returns the same first n documents for every item."""
    from lm_eval.api.samplers import ContextSampler

    class FixedSampler(ContextSampler):  # type: ignore[misc]
        def sample(self, n: int, eval_doc: Any = None, df: Any = None, **_: Any) -> list[Any]:
            documents = demonstrations.documents
            if n > len(documents):
                raise ValueError(f"{n} demonstrations requested of a draw of {len(documents)}")
            return [document.raw for document in documents[:n]]

    sampler: LmEvalSampler = FixedSampler()
    return sampler
