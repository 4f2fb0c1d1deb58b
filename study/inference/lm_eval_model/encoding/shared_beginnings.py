"""Encoding of texts that share their beginnings, each shared part once.

In: a fast tokenizer, and texts of which neighbours begin alike. Out: the token ids of each text, as
encoding it whole gives them. Texts are cut between a letter, a space and a letter, where it is
certain that the tokenizer divides them whatever comes before and after:

- its model is BPE, which encodes every piece of the pre-tokenizer alone, and it has no normalizer;
- its pre-tokenizer is byte-level, with a pattern (`PATTERNS`) of which no match has a space after a
  letter, or looks further than its end and one character;
- no added token has white space in it, or takes up white space beside it.

The tokenizer's own pre-tokenizer is asked at every cut, too. For all other tokenizers
`shared_encoder` gives None.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

MIN_SHARED_CHARACTERS = 64
"Texts that share less than this are not cut."
CHECKED_CHARACTERS = 16
"Characters on both sides of a cut in which the pre-tokenizer must divide there."
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = frozenset(
    f"{_CONTRACTIONS}|" + rf"[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}|{_REST}"
    for digits in ("", "{1,3}")  # Qwen 2; Llama 3
)


class SharedEncoder:
    """A tokenizer that encodes shared beginnings once."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""
        cuts = [0, *(self._cut(first, second) for first, second in pairwise(texts)), 0]
        chunks = _chunks(texts, cuts)
        distinct = list(dict.fromkeys(chunk for _, new in chunks for chunk in new))
        encodings = self._backend.encode_batch_fast(distinct, add_special_tokens=False)
        ids_of = {chunk: each.ids for chunk, each in zip(distinct, encodings, strict=True)}
        encoded: list[list[int]] = []
        edges = [0]  # where each chunk of the last text begins, in tokens
        for inherited, new in chunks:
            del edges[inherited + 1 :]
            ids = encoded[-1][: edges[-1]] if encoded else []
            for chunk in new:
                ids = ids + ids_of[chunk]
                edges.append(len(ids))
            encoded.append(ids)
        return encoded

    def _cut(self, first: str, second: str) -> int:
        """Where both texts can be cut after the same beginning; 0 if nowhere."""
        shared = _common_length(first, second)
        position = second.rfind(" ", MIN_SHARED_CHARACTERS, max(shared - 1, 0))
        while position > 0:
            around = second[position - 1 : position + 2]
            if around.isascii() and around[0].isalpha() and around[2].isalpha():
                return position if self._is_divided(second, position) else 0
            position = second.rfind(" ", MIN_SHARED_CHARACTERS, position)
        return 0

    def _is_divided(self, text: str, position: int) -> bool:
        start = max(0, position - CHECKED_CHARACTERS)
        beside = text[start : position + CHECKED_CHARACTERS]
        pieces = self._backend.pre_tokenizer.pre_tokenize_str(beside)
        return any(first == position - start for _, (first, _) in pieces)


def shared_encoder(tokenizer: Any) -> SharedEncoder | None:
    """The encoder of a transformers tokenizer; None if its texts cannot be cut."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not type(tokenizer).__module__.startswith("transformers."):
        return None
    added = backend.get_added_tokens_decoder().values()
    divides_alone = (
        type(backend.model).__name__ == "BPE"
        and not backend.model.dropout
        and backend.normalizer is None
        and backend.truncation is None
        and backend.padding is None
        and not tokenizer.split_special_tokens
        and not any(
            token.lstrip or token.rstrip or token.single_word or not _is_solid(token.content)
            for token in added
        )
        and backend.pre_tokenizer is not None
        and _divides_after_letters(json.loads(backend.pre_tokenizer.__getstate__()))
    )
    return SharedEncoder(backend) if divides_alone else None


def _is_solid(text: str) -> bool:
    return not any(character.isspace() for character in text)


def _divides_after_letters(pre_tokenizer: dict[str, Any]) -> bool:
    """Whether a pre-tokenizer is byte-level and divides between a letter and a space."""
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    *before, last = steps
    if last["type"] != "ByteLevel" or last["add_prefix_space"]:
        return False
    known = all(
        step["type"] == "Split"
        and step["pattern"].get("Regex") in PATTERNS
        and step["behavior"] == "Isolated"
        and not step["invert"]
        for step in before
    )
    # With its own pattern, ByteLevel divides as GPT-2.
    return known and (bool(before) or last["use_regex"])


def _chunks(texts: Sequence[str], cuts: Sequence[int]) -> list[tuple[int, list[str]]]:
    """For each text, how many chunks of the text before it begin it, and the further ones.

    `cuts` says where each text is cut after what it shares with the one before it, and 0 for the
    first and beyond the last.
    """
    # Where what follows a text is cut within what it shares with it.
    needed: list[list[int]] = [[]]
    for cut in reversed(cuts[1:]):
        needed.append([*(position for position in needed[-1] if position < cut), cut])
    chunks = []
    edges = [0]  # where the chunks of the last text begin
    for text, cut, positions in zip(texts, cuts, needed[:0:-1], strict=False):
        edges = [edge for edge in edges if edge <= cut]
        inherited = len(edges) - 1
        edges += [position for position in positions if position > cut]
        bounds = [*edges[inherited:], len(text)]
        chunks.append((inherited, [text[a:b] for a, b in pairwise(bounds)]))
    return chunks


def _common_length(first: str, second: str) -> int:
    """Length of the common beginning of two texts, by bisection."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first.startswith(second[:middle]):
            low = middle
        else:
            high = middle - 1
    return low
