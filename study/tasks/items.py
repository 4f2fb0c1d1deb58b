"""A task's items and its pool of demonstrations, as lm-eval renders them.

In: a loaded lm-eval task. Out: `TaskItems`: which documents are scored, which demonstrate, and a
digest of everything that was rendered.

Where a task takes demonstrations from the split that it evaluates, a fifth of the split (100
documents at most) is reserved for demonstrations and never evaluated. In every task, documents
whose normalised text equals an item's are removed from the pool (leakage).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from study.tasks.leakage import reserve_pool, text_key
from study.tasks.lm_eval.identity import (
    documents_digest,
    prompt_configuration,
    scoring_configuration,
)
from study.tasks.lm_eval.types import LmEvalDocument, LmEvalTask

MAX_POOL = 2000
"Documents of the pool that are read; from larger pools, evenly spaced ones."


@dataclass(frozen=True)
class Document:
    """One document as lm-eval renders it."""

    index: int
    "Its index in its split."
    text: str
    "The question; in tasks whose choices are contexts, all of them."
    choices: tuple[str, ...]
    target: str
    "The answer, as text or as an index into `choices`."
    raw: LmEvalDocument
    "The document itself, which lm-eval's functions take."

    def digest(self) -> str:
        """sha256 of what is rendered."""
        rendered = json.dumps([self.text, self.choices, self.target], ensure_ascii=False)
        return hashlib.sha256(rendered.encode()).hexdigest()


@dataclass(frozen=True)
class TaskItems:
    """What a task evaluates, and what may demonstrate it."""

    task: str
    version: str
    items: tuple[Document, ...]
    "The items, in the order of their split."
    pool: tuple[Document, ...]
    "Documents for demonstrations."
    classes: tuple[str, ...]
    "The answer classes, where all items share one list of choices; else empty."
    reserved: bool
    "Whether the pool was reserved from the evaluated split."
    removed: int
    "Documents removed from the pool because an item has the same text."
    digest: str
    "sha256 over the items as they are rendered, in order."
    documents: str
    "sha256 over the items' documents with all their fields, in order."
    prompt_configuration: str
    "sha256 of the part of the task's configuration that can move a prompt."
    scoring_configuration: str
    "sha256 of the part of the task's configuration that decides scores of responses."
    description: str
    "The task's description, which begins every prompt; empty if it has none."

    def evaluated(self, limit: int | None) -> tuple[Document, ...]:
        """The items that are evaluated: the first `limit`."""
        return self.items[:limit]


def task_items(task: LmEvalTask, name: str, *, shares_split: bool) -> TaskItems:
    """Render a task's documents and divide them into items and pool.

    ValueError if there is no item, or if one cannot be asked or scored.
    """
    evaluated = _documents(task, task.eval_docs)
    key = text_key(evaluated)
    if shares_split:
        pool, items = reserve_pool(evaluated)
    else:
        items = evaluated
        pool = _documents(task, _evenly_spaced(list(task.fewshot_docs() or ())))
    if not items:
        raise ValueError("there is no document to evaluate")
    item_keys = {key(item) for item in items}
    kept: dict[object, Document] = {}
    for document in pool:
        if key(document) not in item_keys:
            kept.setdefault(key(document), document)
    choice_lists = {item.choices for item in items}
    classes = choice_lists.pop() if len(choice_lists) == 1 else ()
    digest = hashlib.sha256("\n".join(item.digest() for item in items).encode()).hexdigest()
    return TaskItems(
        task=name,
        version=str(task.VERSION),
        items=tuple(items),
        pool=tuple(kept.values()),
        classes=classes,
        reserved=shares_split,
        removed=sum(key(document) in item_keys for document in pool),
        digest=digest,
        documents=documents_digest(item.raw for item in items),
        prompt_configuration=prompt_configuration(task),
        scoring_configuration=scoring_configuration(task),
        description=str(task.config.description or ""),
    )


def _documents(task: LmEvalTask, raw: Iterable[LmEvalDocument]) -> list[Document]:
    documents = []
    for index, doc in enumerate(raw):
        shown = task.doc_to_choice(doc) if task.config.doc_to_choice is not None else []
        text = "" if task.multiple_input else task.doc_to_text(doc)
        target = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
        _check_rendered(task, index, text, shown, target)
        choices = tuple(shown)
        text = "\n".join(choices) if task.multiple_input else str(text)
        documents.append(Document(index, text, choices, str(target), doc))
    return documents


def _check_rendered(task: LmEvalTask, index: int, text: Any, choices: Any, target: Any) -> None:
    """ValueError for what lm-eval would score as something else, or as wrong always."""
    if not isinstance(choices, list | tuple) or not all(map(_is_text, choices)):
        raise ValueError(f"document {index}: choices are a list of texts, found {choices!r:.200}")
    if not _is_text(text):
        raise ValueError(f"document {index}: the question is a text, found {text!r:.200}")
    if task.OUTPUT_TYPE != "multiple_choice" or task.config.process_results is not None:
        return
    for answer in target if isinstance(target, list) else [target]:
        is_index = isinstance(answer, int) and not isinstance(answer, bool)
        if answer not in (range(len(choices)) if is_index else choices):
            raise ValueError(
                f"document {index}: the target is one of {len(choices)} choices or its index, "
                f"found {answer!r:.200}"
            )


def _is_text(value: Any) -> bool:
    """Whether lm-eval writes a value as it is; it parses texts of digits as integers."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _evenly_spaced(documents: list[LmEvalDocument]) -> list[LmEvalDocument]:
    step = max(1, -(-len(documents) // MAX_POOL))
    return documents[::step]
