"""The tree holds every distinct prefix once, and packs say rightly what lies above a node."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.inference.packed_batches import Budget, cut
from study.inference.prefix_tree import Tree, prefix_tree

# Few different tokens, so that much is shared.
Sequences = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=20)


def prefix_of(tree: Tree, node: int) -> tuple[int, ...]:
    above = [j for j in range(node + 1) if node < tree.reach[j]]
    return tuple(int(tree.tokens[j]) for j in above)


@given(Sequences, st.integers(1, 40))
def test_every_distinct_prefix_is_one_node(sequences: list[list[int]], block: int) -> None:
    tree = prefix_tree(sequences, block=block)
    wanted = {tuple(s[:n]) for s in sequences for n in range(1, len(s) + 1)}
    found = [prefix_of(tree, node) for node in range(len(tree.tokens))]
    assert len(found) == len(wanted)
    assert set(found) == wanted
    assert [len(prefix) - 1 for prefix in found] == tree.depth.tolist()
    for i, sequence in enumerate(sequences):
        path = tree.path(i, 0, len(sequence))
        assert tree.tokens[path].tolist() == sequence
        assert tree.path(i, 1, len(sequence) - 1).tolist() == path[1:-1].tolist()


@given(Sequences, st.integers(1, 40))
def test_units_cover_the_nodes_and_chains_are_runs(sequences: list[list[int]], block: int) -> None:
    tree = prefix_tree(sequences, block=block)
    at = 0
    for unit in tree.units:
        assert unit.start == at < unit.stop
        at = unit.stop
        if unit.chain:
            inner = slice(unit.start, unit.stop)
            assert np.all(np.diff(tree.depth[inner]) == 1)
            assert len(set(tree.reach[inner].tolist())) == 1
        else:
            assert unit.stop - unit.start <= block
    assert at == len(tree.tokens)


@given(Sequences, st.integers(1, 40), st.integers(1, 30), st.integers(1, 30), st.data())
def test_what_packs_attend_to_is_all_that_lies_above(
    sequences: list[list[int]], block: int, tokens: int, rows: int, data: st.DataObject
) -> None:
    tree = prefix_tree(sequences, block=block)
    n = len(tree.tokens)
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=np.bool_)
    start, path = 0, []
    while start < n:
        pack = cut(tree, start, Budget(tokens, rows), wanted)
        size = pack.stop - pack.start
        assert size > 0
        one_unit = len(pack.chains) + len(pack.blocks) == 1
        assert one_unit or (size <= tokens and wanted[pack.start : pack.stop].sum() <= rows)
        seen: dict[int, set[int]] = {node: set() for node in range(size)}
        for first, last, share in pack.path_groups:
            for node in range(first, last):
                seen[node].update(path[:share])
        for first, last, reach in pack.chains:
            for node in range(first, reach):
                seen[node].update(range(start + first, start + min(node + 1, last)))
        for block_nodes in pack.blocks:
            own = [int(node) for node in block_nodes if node >= 0]
            for node in own:
                above = {
                    start + j for j in own if j <= node and start + node < tree.reach[start + j]
                }
                seen[node].update(above)
        for node, found in seen.items():
            above = {j for j in range(start + node + 1) if start + node < tree.reach[j]}
            assert found == above
        path = path[: pack.path_kept] + [start + int(node) for node in pack.path_added]
        start = pack.stop
        if start < n:
            assert path == [j for j in range(start) if start < tree.reach[j]]
