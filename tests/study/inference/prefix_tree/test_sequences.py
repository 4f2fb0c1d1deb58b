"""Sequences that are stored as what differs from the one before them are what they were."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.inference.prefix_tree import TokenSequences, common_prefix_length


@given(st.lists(st.lists(st.integers(0, 2), max_size=8), max_size=12))
def test_lists_and_lengths(sequences: list[list[int]]) -> None:
    stored = TokenSequences.of(sequences)
    assert len(stored) == len(sequences)
    assert stored.lists() == sequences
    assert stored.lengths.tolist() == list(map(len, sequences))


def test_shared_beginnings_are_stored_once() -> None:
    stored = TokenSequences.of([[1, 2, 3], [1, 2, 4], [1, 2, 4], [5]])
    assert stored.tokens.tolist() == [1, 2, 3, 4, 5]
    assert stored.shared.tolist() == [0, 2, 3, 0]


def test_common_prefix_length() -> None:
    assert common_prefix_length(np.array([1, 2, 3]), np.array([1, 2, 4, 5])) == 2
    assert common_prefix_length(np.array([1, 2]), np.array([1, 2, 4])) == 2
    assert common_prefix_length(np.array([], dtype=np.int64), np.array([1])) == 0
