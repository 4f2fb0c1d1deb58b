"""Texts to token ids, each once, many at a time.

In: a tokenizer and texts. Out: what encoding each alone would give. A prompt is read by the audit
and by the model, and stands in front of every choice, so what has been encoded is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

REMEMBERED_TOKENS = 2**24


class Encoder:
    """Encodes texts with one set of tokenizer options per text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[str, bool | None], list[int]] = {}
        self._size = 0

    def one(self, text: str, add_special_tokens: bool | None) -> list[int]:
        """The ids of a text; None leaves special tokens to the tokenizer."""
        at = (text, add_special_tokens)
        if at not in self._known:
            self.remember({text: add_special_tokens})
        return self._known[at]

    def remember(self, texts: Mapping[str, bool | None]) -> None:
        """Encodes all texts that are not known yet, together."""
        if self._size > REMEMBERED_TOKENS:
            self._known, self._size = {}, 0
        for add in (None, False, True):
            new = [t for t, a in texts.items() if a is add and (t, a) not in self._known]
            if new:
                how = {} if add is None else {"add_special_tokens": add}
                self._take(new, add, self._tokenizer(new, **how).input_ids)

    def _take(self, texts: Iterable[str], add: bool | None, ids: list[list[int]]) -> None:
        for text, of_text in zip(texts, ids, strict=True):
            self._known[text, add] = of_text
            self._size += len(of_text)
