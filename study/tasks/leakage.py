"""Keeping evaluated items out of the prompt: reserved pools, and documents with the same text.

In: documents of a split. Out: a pool of demonstrations that shares no text with the items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

RESERVED_SHARE = 0.2
MAX_RESERVED = 100
"Share and maximum number of documents that are reserved for demonstrations in a shared split."


class _Document(Protocol):
    @property
    def index(self) -> int: ...

    @property
    def text(self) -> str: ...

    @property
    def choices(self) -> tuple[str, ...]: ...

    def digest(self) -> str: ...


Doc = TypeVar("Doc", bound=_Document)


def normalised(text: str) -> str:
    """Lower case, letters and digits only, single spaces; equal results count as the same text."""
    return " ".join(re.findall(r"\w+", text.lower()))


def reserve_pool(documents: list[Doc]) -> tuple[list[Doc], list[Doc]]:
    """Split the documents of one split into (pool, items).

    The documents with the smallest digests are the pool, so the choice depends on neither draws,
    shots, limit nor the number of processes. Documents equal to one in the pool are dropped.
    """
    wanted = min(int(RESERVED_SHARE * len(documents)), MAX_RESERVED)
    order = sorted(documents, key=lambda document: (document.digest(), document.index))
    reserved = {document.index for document in order[:wanted]}
    pool = [document for document in documents if document.index in reserved]
    digests = {document.digest() for document in pool}
    items = [
        document
        for document in documents
        if document.index not in reserved and document.digest() not in digests
    ]
    return pool, items


def text_key(documents: Sequence[Doc]) -> Callable[[Doc], Hashable]:
    """The function whose value two documents share if they count as the same.

    It is the normalised text; where texts hardly differ (an empty question, for example), the text
    with the choices.
    """
    distinct = len({normalised(document.text) for document in documents})
    if 2 * distinct >= len(documents):
        return lambda document: normalised(document.text)
    return lambda document: normalised("\n".join((document.text, *sorted(document.choices))))
