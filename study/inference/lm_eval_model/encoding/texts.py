"""Encoding of texts: each text once, many texts in one call of the tokenizer.

In: a tokenizer and texts. Out: the token ids that encoding each text alone would give. The context
of a request is encoded with every one of its answers, and again when prompts are checked, so ids
are cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_CACHED_TOKENS = 2**24
"The cache is emptied when it holds more tokens than this."


class Encoder:
    """A tokenizer with a cache."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._cache: dict[tuple[str, bool | None], list[int]] = {}
        self._cached_tokens = 0

    def encode(self, text: str, add_special_tokens: bool | None) -> list[int]:
        """Token ids of a text; with None, the tokenizer decides about special tokens."""
        key = (text, add_special_tokens)
        if key not in self._cache:
            self.add({text: add_special_tokens})
        return self._cache[key]

    def add(self, texts: Mapping[str, bool | None]) -> None:
        """Encode all texts that are not cached, together.

        `texts` maps each text to its `add_special_tokens`.
        """
        if self._cached_tokens > MAX_CACHED_TOKENS:
            self._cache, self._cached_tokens = {}, 0
        for add_special in (None, False, True):
            new = [
                text
                for text, option in texts.items()
                if option is add_special and (text, option) not in self._cache
            ]
            if not new:
                continue
            options = {} if add_special is None else {"add_special_tokens": add_special}
            for text, ids in zip(new, self._tokenizer(new, **options).input_ids, strict=True):
                self._cache[text, add_special] = ids
                self._cached_tokens += len(ids)
