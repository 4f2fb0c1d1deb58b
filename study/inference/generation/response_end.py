"""Where a generated response ends.

In: the limits of a request, and the tokens generated so far. Out: whether the last of them ended
the response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ResponseEnd:
    """The end of a response: its greatest length, its last tokens, its stop strings."""

    max_tokens: int
    eos: frozenset[int]
    "End-of-sequence tokens."
    stop_strings: tuple[str, ...]
    decode: Callable[[Sequence[int]], str]
    "The text of tokens, with special tokens, in which stop strings are looked for."

    def is_reached(self, tokens: Sequence[int]) -> bool:
        """Whether the response is finished; to be asked after every token."""
        if not tokens or len(tokens) >= self.max_tokens:
            return bool(tokens)
        return tokens[-1] in self.eos or self.contains_stop_string(tokens)

    def contains_stop_string(self, tokens: Sequence[int]) -> bool:
        """Whether the text contains a stop string, perhaps since its last token."""
        strings = [string for string in self.stop_strings if string]
        if not strings:
            return False
        # A stop string that has just been completed lies in the last tokens: each has a byte or
        # more.
        recent = max(len(string.encode()) for string in strings) + 8
        end = self.decode(tokens[-recent:])
        if not any(string in end for string in strings):
            return False
        text = self.decode(tokens)
        return any(string in text for string in strings)


def eos_tokens(config: Any) -> frozenset[int]:
    """End-of-sequence tokens of a generation config."""
    eos = config.eos_token_id
    return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])
