"""Token sequences of requests of a given shape, as they are stored: without what neighbours share.

In: numbers of prefixes, items and choices, and their lengths. Out: `TokenSequences`, with random
tokens, in the order in which lm-eval makes requests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.inference.prefix_tree import TokenSequences


@dataclass(frozen=True)
class Shape:
    """The requests of a cell, or of several with other demonstrations."""

    items: int = 2_000
    "Items of each prefix."
    prefixes: int = 1
    prefix: int = 1_000
    "Tokens of all demonstrations."
    question: int = 80
    choices: int = 4
    choice: int = 5
    vocabulary: int = 32_000

    def sequences(self, seed: int = 0) -> TokenSequences:
        """The requests."""
        first = self.prefix + self.question + self.choice
        sizes = np.full((self.prefixes, self.items, self.choices), self.choice)
        sizes[:, :, 0] += self.question
        sizes[:, 0, 0] += self.prefix
        sizes = sizes.ravel()
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        tokens = np.random.default_rng(seed).integers(0, self.vocabulary, offsets[-1])
        return TokenSequences(first - sizes, offsets, tokens.astype(np.int32))
