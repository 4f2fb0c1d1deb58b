"""Packed batches describe attention to exactly the ancestors of every node, within the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.inference.prefix_tree import build_prefix_tree
from study.inference.prefix_tree.packed_batches import BatchCutter, Budget

# Few different tokens, so that sequences share prefixes.
Sequences = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=20)


@given(Sequences, st.integers(1, 40), st.integers(1, 30), st.integers(1, 30), st.data())
def test_every_node_attends_to_all_its_ancestors(
    sequences: list[list[int]], block_size: int, tokens: int, rows: int, data: st.DataObject
) -> None:
    tree = build_prefix_tree(sequences, block_size=block_size)
    n = len(tree.tokens)
    is_projected = np.array(
        data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=np.bool_
    )
    cutter = BatchCutter(tree, is_projected)
    start, path = 0, []
    while start < n:
        batch = cutter.next_batch(start, Budget(tokens, rows))
        size = batch.stop - batch.start
        assert size > 0
        one_unit = len(batch.chains) + len(batch.blocks) == 1
        assert one_unit or (size <= tokens and is_projected[batch.start : batch.stop].sum() <= rows)
        attended: dict[int, set[int]] = {node: set() for node in range(size)}
        for first, last, length in batch.path_groups:
            for node in range(first, last):
                attended[node].update(path[:length])
        for first, last, reach in batch.chains:
            for node in range(first, reach):
                attended[node].update(range(start + first, start + min(node + 1, last)))
        for block_nodes in batch.blocks:
            nodes = [int(node) for node in block_nodes if node >= 0]
            for node in nodes:
                ancestors = {
                    start + j for j in nodes if j <= node and start + node < tree.reach[start + j]
                }
                attended[node].update(ancestors)
        for node, keys in attended.items():
            ancestors = {j for j in range(start + node + 1) if start + node < tree.reach[j]}
            assert keys == ancestors
        path = path[: batch.retained_path] + [start + int(node) for node in batch.new_path_nodes]
        start = batch.stop
        if start < n:
            assert path == [j for j in range(start) if start < tree.reach[j]]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [(Budget(9, 4), Budget(4, 2)), (Budget(1, 3), Budget(1, 1)), (Budget(1, 1), None)],
)
def test_halved_budget(budget: Budget, expected: Budget | None) -> None:
    assert budget.halved() == expected
