"""The tree has one node for every distinct prefix, and its units cover all nodes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.inference.prefix_tree import PrefixTree, build_prefix_tree, common_prefix_length

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
    stop = 0
    for unit in tree.units:
        assert unit.start == stop < unit.stop
        stop = unit.stop
        if unit.is_chain:
            nodes = slice(unit.start, unit.stop)
            assert np.all(np.diff(tree.depth[nodes]) == 1)
            assert len(set(tree.reach[nodes].tolist())) == 1
        else:
            assert unit.stop - unit.start <= block_size
    assert stop == len(tree.tokens)


def test_depths_count_from_a_given_first_depth() -> None:
    tree = build_prefix_tree([[1, 2], [1, 3]], block_size=8, first_depth=5)
    assert tree.depth.tolist() == [5, 6, 6]


def test_common_prefix_length() -> None:
    assert common_prefix_length(np.array([1, 2, 3]), np.array([1, 2, 4, 5])) == 2
    assert common_prefix_length(np.array([1, 2]), np.array([1, 2, 4])) == 2
    assert common_prefix_length(np.array([], dtype=np.int64), np.array([1])) == 0
