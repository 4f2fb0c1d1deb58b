"""A cell's prompts, rendered by lm-eval's task and cached for the next model that reads them.

In: a task with its items, a draw's demonstrations, a cell. Out: lm-eval's requests. Rendering is
lm-eval's own (`fewshot_context`, `construct_requests`); ours are the choice of the demonstrations,
and counting those that were actually used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from study.models.chat_templates.rendering import ChatTemplate
from study.planning.cells.cell import Cell
from study.planning.cost.estimate import CACHED_REQUESTS
from study.tasks.demonstrations import Demonstrations, fixed_sampler
from study.tasks.items import Document
from study.tasks.lm_eval.types import LmEvalRequest, LmEvalSampler, LmEvalTask

_Derived = TypeVar("_Derived")


class AuditError(Exception):
    """A cell was not evaluated as planned; its number would not be what its name says."""


@dataclass(frozen=True)
class Prompts:
    """The requests of a cell, before a model has responded."""

    requests: tuple[tuple[LmEvalRequest, ...], ...]
    "The lm-eval requests of each item."
    shots: tuple[int, ...]
    "The number of demonstrations that lm-eval used for each item."
    _derived: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def all_requests(self) -> list[LmEvalRequest]:
        """The requests of all items."""
        return [request for item_requests in self.requests for request in item_requests]

    def derived(self, index: object, derive: Callable[[], _Derived]) -> _Derived:
        """What follows from the prompts and an index; derived once for all models."""
        if index not in self._derived:
            self._derived[index] = derive()
        derived: _Derived = self._derived[index]
        return derived


def render_prompts(
    task: LmEvalTask,
    documents: tuple[Document, ...],
    demonstrations: Demonstrations,
    cell: Cell,
    template: ChatTemplate | None,
) -> Prompts:
    """lm-eval's requests for every item, with the draw's demonstrations."""
    sampler = _CountingSampler(fixed_sampler(demonstrations))
    task.sampler = sampler
    kept = cell.kept or (cell.arm.shots,) * len(documents)
    requests, shots = [], []
    for document, wanted in zip(documents, kept, strict=True):
        sampler.count = 0
        context = task.fewshot_context(
            document.raw,
            num_fewshot=wanted,
            apply_chat_template=cell.arm.template,
            fewshot_as_multiturn=cell.arm.multiturn,
            chat_template=template,
            gen_prefix=task.doc_to_prefix(document.raw),
        )
        constructed = task.construct_requests(
            doc=document.raw,
            ctx=context,
            metadata=(cell.task.task, document.index, task.config.repeats),
            apply_chat_template=cell.arm.template,
            chat_template=template,
        )
        if sampler.count != wanted:
            raise AuditError(f"item {document.index}: {sampler.count} demonstrations, not {wanted}")
        requests.append(tuple(constructed) if isinstance(constructed, list) else (constructed,))
        shots.append(sampler.count)
    return Prompts(tuple(requests), tuple(shots))


class _CountingSampler:
    """Passes lm-eval's calls on to a sampler and counts the demonstrations."""

    def __init__(self, sampler: LmEvalSampler) -> None:
        self._sampler, self.count = sampler, 0

    def sample(self, n: int, eval_doc: Any = None, df: Any = None, **rest: Any) -> list[Any]:
        documents = self._sampler.sample(n, eval_doc, df, **rest)
        self.count += len(documents)
        return documents


class PromptCache:
    """Prompts by the part of the identity that decides them; the least recently used are dropped
    first."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Prompts] = OrderedDict()

    def get(self, index: str, render: Callable[[], Prompts]) -> tuple[Prompts, int]:
        """The prompts, and how many requests had to be rendered for them."""
        rendered = 0
        if index not in self._prompts:
            self._prompts[index] = render()
            rendered = _n_requests(self._prompts[index])
            while len(self._prompts) > 1 and self._size() > CACHED_REQUESTS:
                self._prompts.popitem(last=False)
        self._prompts.move_to_end(index)
        return self._prompts[index], rendered

    def _size(self) -> int:
        return sum(map(_n_requests, self._prompts.values()))


def _n_requests(prompts: Prompts) -> int:
    return sum(map(len, prompts.requests))
