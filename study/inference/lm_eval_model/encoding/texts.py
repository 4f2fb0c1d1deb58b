"""Encoding of texts: each text once, many texts in one call of the tokenizer.

In: a tokenizer and texts. Out: the token ids that encoding each text alone would give. The context
of a request is encoded with every one of its answers, and again when prompts are checked, so ids
are cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.inference.lm_eval_model.encoding.shared_beginnings import shared_encoder

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
            for text, ids in zip(new, self._ids(new, add_special), strict=True):
                self._cache[text, add_special] = ids
                self._cached_tokens += len(ids)

    def _ids(self, texts: list[str], add_special: bool | None) -> list[list[int]]:
        options = {} if add_special is None else {"add_special_tokens": add_special}
        shared = shared_encoder(self._tokenizer) if len(texts) > 1 else None
        if shared is not None:
            encoded = shared.encode(texts)
            (complete,) = self._tokenizer(texts[:1], **options).input_ids
            around = _special_tokens(encoded[0], complete)
            if around is not None:
                before, after = around
                return [before + ids + after for ids in encoded]
        whole: list[list[int]] = self._tokenizer(texts, **options).input_ids
        return whole


def _special_tokens(plain: list[int], complete: list[int]) -> tuple[list[int], list[int]] | None:
    """The special tokens before and after a text, from its ids without and with them; None if they
    do not follow from these."""
    size = len(plain)
    places = [
        start
        for start in range(len(complete) - size + 1)
        if complete[start : start + size] == plain
    ]
    if len(places) != 1:
        return None
    return complete[: places[0]], complete[places[0] + size :]
