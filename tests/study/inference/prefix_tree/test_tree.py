"""The tree has one node for every distinct prefix, and its units cover all nodes."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.inference.prefix_tree import PrefixTree, build_prefix_tree

# Few different tokens, so that sequences share prefixes.
Sequences = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=20)


def prefix_of(tree: PrefixTree, node: int) -> tuple[int, ...]:
    ancestors = [j for j in range(node + 1) if node < tree.reach[j]]
    return tuple(int(tree.tokens[j]) for j in ancestors)


@given(Sequences, st.integers(1, 40))
def test_every_distinct_prefix_is_one_node(sequences: list[list[int]], block_size: int) -> None:
    tree = build_prefix_tree(sequences, block_size=block_size)
    expected = {tuple(s[:n]) for s in sequences for n in range(1, len(s) + 1)}
    prefixes = [prefix_of(tree, node) for node in range(len(tree.tokens))]
    assert len(prefixes) == len(expected)
    assert set(prefixes) == expected
    assert [len(prefix) - 1 for prefix in prefixes] == tree.depth.tolist()
    for i, sequence in enumerate(sequences):
        path = tree.path(i, 0, len(sequence))
        assert tree.tokens[path].tolist() == sequence
        assert tree.path(i, 1, len(sequence) - 1).tolist() == path[1:-1].tolist()


@given(Sequences, st.integers(1, 40))
def test_units_cover_the_nodes_and_chains_are_runs(
    sequences: list[list[int]], block_size: int
) -> None:
    tree = build_prefix_tree(sequences, block_size=block_size)
    assert tree.unit_edges[0] == 0
    assert tree.unit_edges[-1] == len(tree.tokens)
    for start, stop, is_chain in zip(
        tree.unit_edges[:-1], tree.unit_edges[1:], tree.unit_is_chain, strict=True
    ):
        assert start < stop
        if is_chain:
            assert np.all(np.diff(tree.depth[start:stop]) == 1)
            assert len(set(tree.reach[start:stop].tolist())) == 1
        else:
            assert stop - start <= block_size


@given(Sequences, st.integers(1, 40), st.randoms())
def test_the_order_of_sequences_does_not_matter(
    sequences: list[list[int]], block_size: int, random: Random
) -> None:
    tree = build_prefix_tree(sequences, block_size=block_size)
    random.shuffle(sequences)
    other = build_prefix_tree(sequences, block_size=block_size)
    for name in ("tokens", "depth", "reach", "unit_edges", "unit_is_chain"):
        np.testing.assert_array_equal(getattr(tree, name), getattr(other, name))


def test_large_subtrees_come_first_and_the_deepest_of_them() -> None:
    sequences = [[1], [2, 2], [3, 3, 3, 3], [4, 4, 4, 4, 4], [5, 5, 5, 5]]
    tree = build_prefix_tree(sequences, block_size=3)
    # Of two that are as deep, the later one; then small ones, by size, in one block.
    assert tree.tokens.tolist() == [4] * 5 + [5] * 4 + [3] * 4 + [2, 2, 1]
    assert tree.unit_edges.tolist() == [0, 5, 9, 13, 16]
    assert tree.unit_is_chain.tolist() == [True, True, True, False]


def test_depths_count_from_a_given_first_depth() -> None:
    tree = build_prefix_tree([[1, 2], [1, 3]], block_size=8, first_depth=5)
    assert tree.depth.tolist() == [5, 6, 6]
