"""A cell's prompts, rendered by lm-eval's task, and kept for the next model that is asked the same.

In: a task with its items, a draw's demonstrations, a cell. Out: lm-eval's requests. Everything that
makes them is lm-eval's own: `fewshot_context`, `construct_requests`. What is ours is who
demonstrates, and that the demonstrations are counted in the requests themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from study.planning.cells import Cell
from study.tasks.demonstrations import Demonstrations, fixed_sampler
from study.tasks.items import Document

REMEMBERED_REQUESTS = 150_000
"Rendered requests kept in memory."


class AuditError(Exception):
    """A cell was not asked as planned; its number would not be what it is called."""


@dataclass(frozen=True)
class Prompts:
    """The requests of a cell, before any model has answered them."""

    requests: tuple[tuple[Any, ...], ...]
    "For each item its lm-eval requests."
    shots: tuple[int, ...]
    "For each item the demonstrations that lm-eval took."


def render(
    task: Any,
    documents: tuple[Document, ...],
    drawn: Demonstrations,
    cell: Cell,
    template: Callable[..., str] | None,
) -> Prompts:
    """lm-eval's requests for every item, with the draw's demonstrations."""
    sampler = _Counting(fixed_sampler(drawn))
    task.sampler = sampler
    kept = cell.kept or (cell.arm.shots,) * len(documents)
    requests, shots = [], []
    for document, wanted in zip(documents, kept, strict=True):
        sampler.taken = 0
        context = task.fewshot_context(
            document.raw,
            num_fewshot=wanted,
            apply_chat_template=cell.arm.template,
            fewshot_as_multiturn=cell.arm.multiturn,
            chat_template=template,
            gen_prefix=task.doc_to_prefix(document.raw),
        )
        made = task.construct_requests(
            doc=document.raw,
            ctx=context,
            metadata=(cell.task.task, document.place, task.config.repeats),
            apply_chat_template=cell.arm.template,
            chat_template=template,
        )
        if sampler.taken != wanted:
            raise AuditError(f"item {document.place}: {sampler.taken} demonstrations, not {wanted}")
        requests.append(tuple(made) if isinstance(made, list) else (made,))
        shots.append(sampler.taken)
    return Prompts(tuple(requests), tuple(shots))


class _Counting:
    """Passes lm-eval's calls on to a sampler and counts what it took."""

    def __init__(self, sampler: Any) -> None:
        self._sampler, self.taken = sampler, 0

    def sample(self, *arguments: Any, **named: Any) -> list[Any]:
        documents: list[Any] = self._sampler.sample(*arguments, **named)
        self.taken += len(documents)
        return documents


class PromptMemory:
    """Prompts by what they were made of; the longest unused are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Prompts] = OrderedDict()

    def get(self, at: Hashable, make: Callable[[], Prompts]) -> tuple[Prompts, int]:
        """The prompts, and how many requests had to be made anew for them."""
        made = 0
        if at not in self._kept:
            self._kept[at] = make()
            made = _requests(self._kept[at])
            while len(self._kept) > 1 and sum(map(_requests, self._kept.values())) > (
                REMEMBERED_REQUESTS
            ):
                self._kept.popitem(last=False)
        self._kept.move_to_end(at)
        return self._kept[at], made


def _requests(prompts: Prompts) -> int:
    return sum(map(len, prompts.requests))
