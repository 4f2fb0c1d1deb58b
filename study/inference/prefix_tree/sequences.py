"""Token sequences, each stored as what differs from the one before it.

In: token ids. Out: `TokenSequences`, whose size is that of the distinct tokens where neighbours
share their beginnings, as the prompts of a task and the choices of a question do. This is how
sequences are cached, and what prefix trees are built from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TokenSequences:
    """`n` sequences, front-coded."""

    shared: Ints
    "[n]: how many tokens a sequence has in common with the beginning of the one before it."
    offsets: Ints
    "[n + 1]: where the further tokens of each sequence begin in `tokens`."
    tokens: Tokens

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int]]) -> TokenSequences:
        """The sequences, each compared with the one before it."""
        previous: Tokens = np.empty(0, dtype=np.int32)
        shared, sizes, parts = [], [], []
        for sequence in sequences:
            tokens = np.asarray(sequence, dtype=np.int32)
            common = common_prefix_length(previous, tokens)
            shared.append(common)
            sizes.append(len(tokens) - common)
            parts.append(tokens[common:])
            previous = tokens
        offsets = np.cumsum([0, *sizes], dtype=np.int64)
        flat = np.concatenate(parts) if parts else previous
        return cls(np.array(shared, dtype=np.int64), offsets, flat)

    def __len__(self) -> int:
        return len(self.shared)

    @cached_property
    def lengths(self) -> Ints:
        """[n]: tokens of each sequence."""
        lengths: Ints = self.shared + np.diff(self.offsets)
        return lengths

    def lists(self) -> list[list[int]]:
        """Each sequence in full."""
        tokens = self.tokens.tolist()
        sequences: list[list[int]] = []
        previous: list[int] = []
        for shared, (start, stop) in zip(
            self.shared.tolist(), pairwise(self.offsets.tolist()), strict=True
        ):
            previous = previous[:shared] + tokens[start:stop]
            sequences.append(previous)
        return sequences


def common_prefix_length(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> int:
    """Length of the longest common prefix of two token arrays."""
    length = min(len(a), len(b))
    differs = a[:length] != b[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length
