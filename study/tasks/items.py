"""A task's items and its demonstration pool, kept apart, as lm-eval renders them.

In: a loaded lm-eval task. Out: `TaskItems`: which items are scored, which documents demonstrate,
and a digest of all that was rendered.

Where a task takes its demonstrations from the split that it evaluates, a fifth of that split (100
documents at most), chosen by digest, is kept for demonstrations and never asked. This depends
on neither draws, shots, limit nor the number of processes. In every task, documents whose text
equals an item's after normalising are taken out of the pool.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

RESERVED_SHARE, RESERVED_MOST = 0.2, 100
POOL_MOST = 2000
"Documents of the pool that are looked at; from larger pools, evenly spaced ones."


@dataclass(frozen=True)
class Document:
    """One document as lm-eval renders it."""

    place: int
    "Its index in the split it comes from."
    text: str
    "The question; for tasks whose choices are contexts, all of them."
    choices: tuple[str, ...]
    target: str
    "The answer, as text or as an index into `choices`."
    raw: dict[str, Any]
    "The document itself, which lm-eval's functions take."

    def digest(self) -> str:
        """sha256 of what is rendered."""
        rendered = json.dumps([self.text, self.choices, self.target], ensure_ascii=False)
        return hashlib.sha256(rendered.encode()).hexdigest()


@dataclass(frozen=True)
class TaskItems:
    """What is asked in a task, and what may demonstrate it."""

    task: str
    version: str
    items: tuple[Document, ...]
    "The items, in the order of their split."
    pool: tuple[Document, ...]
    "Documents for demonstrations."
    classes: tuple[str, ...]
    "The answer classes, where all items share one list of choices; else empty."
    separated: bool
    "Whether the pool was cut from the evaluated split."
    removed: int
    "Documents taken out of the pool because an item has the same text."
    digest: str
    "sha256 over the items, in order."


def task_items(task: Any, name: str, *, shares_split: bool) -> TaskItems:
    """Renders a task's documents and parts them into items and pool."""
    evaluated = _documents(task, task.eval_docs)
    alike = _key_function(evaluated)
    if shares_split:
        pool, items = _part(evaluated)
    else:
        items = evaluated
        pool = _documents(task, _spaced(list(task.fewshot_docs() or ())))
    asked = {alike(item) for item in items}
    kept: dict[str, Document] = {}
    for document in pool:
        if alike(document) not in asked:
            kept.setdefault(alike(document), document)
    lists = {item.choices for item in items}
    classes = lists.pop() if len(lists) == 1 else ()
    digest = hashlib.sha256("\n".join(item.digest() for item in items).encode()).hexdigest()
    return TaskItems(
        task=name,
        version=str(task.VERSION),
        items=tuple(items),
        pool=tuple(kept.values()),
        classes=classes,
        separated=shares_split,
        removed=sum(alike(document) in asked for document in pool),
        digest=digest,
    )


def normalised(text: str) -> str:
    """Lower case, letters and digits only, single spaces: texts equal after this are one text."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _documents(task: Any, raw: Any) -> list[Document]:
    made = []
    for place, doc in enumerate(raw):
        choices = tuple(task.doc_to_choice(doc)) if task.config.doc_to_choice is not None else ()
        text = "\n".join(choices) if task.multiple_input else str(task.doc_to_text(doc))
        target = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
        made.append(Document(place, text, choices, str(target), doc))
    return made


def _spaced(documents: list[Any]) -> list[Any]:
    step = max(1, -(-len(documents) // POOL_MOST))
    return documents[::step]


def _part(documents: list[Document]) -> tuple[list[Document], list[Document]]:
    """(pool, items) of one split: the documents with the smallest digests are the pool."""
    wanted = min(int(RESERVED_SHARE * len(documents)), RESERVED_MOST)
    order = sorted(documents, key=lambda document: (document.digest(), document.place))
    reserved = {document.place for document in order[:wanted]}
    pool = [document for document in documents if document.place in reserved]
    in_pool = {document.digest() for document in pool}
    items = [
        document
        for document in documents
        if document.place not in reserved and document.digest() not in in_pool
    ]
    return pool, items


def _key_function(documents: list[Document]) -> Any:
    """What two documents must share to count as the same: the text, or where texts hardly differ
    (an empty question, say) the choices too."""
    distinct = len({normalised(document.text) for document in documents})
    if 2 * distinct >= len(documents):
        return lambda document: normalised(document.text)
    return lambda document: normalised("\n".join((document.text, *sorted(document.choices))))
