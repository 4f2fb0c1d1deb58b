"""Encoding of texts: each text once, many texts in one call of the tokenizer.

In: a tokenizer and texts. Out: the token ids that encoding each text alone would give. The context
of a request is encoded with every one of its answers, and again when prompts are checked, so ids
are cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.models.utils import has_bos_prefix

from study.inference.lm_eval_model.loading import LoadedLM

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


class CachedEncodingLM(LoadedLM):
    """lm-eval's `hf` model, whose encoding of texts is cached."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """The arguments of `LoadedLM`."""
        super().__init__(*arguments, **options)
        self._encoder = Encoder(self.tokenizer)
        self._prefix_text = self.tokenizer.decode(self.prefix_token_id)

    def encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, as the model reads them."""
        self._encoder.add({text: self._special_tokens_option(text) for text in texts})
        return [self.tok_encode(text) for text in texts]

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **_: Any,
    ) -> list[int]:
        """Token ids of a text; the method of `hf`."""
        if add_special_tokens is None:
            add_special_tokens = self._special_tokens_option(string)
        ids = self._encoder.encode(string, add_special_tokens)
        return ids[-left_truncate_len:] if left_truncate_len else ids

    def encode_generation_prompt(self, context: str) -> list[int]:
        """Token ids of a prompt for generation."""
        # hf recognises a BOS token in prompts for generation by its own text, not by the text of
        # the prefix token as in scored contexts.
        has_bos = has_bos_prefix(context, getattr(self.tokenizer, "bos_token", None))
        return self._encoder.encode(context, False if has_bos else self.add_bos_token)

    def _special_tokens_option(self, text: str) -> bool | None:
        if has_bos_prefix(text, self._prefix_text):
            return False
        return self.add_bos_token  # type: ignore[no-any-return]
