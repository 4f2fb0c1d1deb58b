"""Packed batches: the range of tree nodes that one forward pass computes, and who attends to whom.

In: a `PrefixTree`, the node to begin with, a `Budget`. Out: `PackedBatch`. A batch is a contiguous
range of nodes in depth-first order, so the ancestors outside it are exactly the path to its first
node, and this path is all that a key/value cache has to hold. The time for a batch grows with its
own nodes. All node indices in a batch count from its own start.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from study.inference.prefix_tree import Ints, PrefixTree

MIN_CHAIN_PIECE = 32
"A chain is not divided in order to put fewer nodes than this at the end of a batch."


@dataclass(frozen=True)
class Budget:
    """Upper limits for one forward pass."""

    tokens: int
    rows: int
    "Nodes whose hidden states are projected onto the vocabulary."

    def halved(self) -> Budget | None:
        """Half of the budget, or None if it is already one token and one row."""
        return None if self.tokens <= 1 and self.rows <= 1 else self.scaled(0.5)

    def scaled(self, factor: float) -> Budget:
        """The budget times `factor`, but at least one token and one row."""
        return Budget(max(1, int(self.tokens * factor)), max(1, int(self.rows * factor)))


@dataclass(frozen=True)
class PackedBatch:
    """The nodes `start` to `stop` of a tree, and the structure of attention among them."""

    start: int
    stop: int
    path_groups: tuple[tuple[int, int, int], ...]
    "(first, last, length): nodes `first` to `last` attend to the first `length` path nodes."
    chains: tuple[tuple[int, int, int], ...]
    """(first, last, reach): nodes `first` to `last` form a chain, in which each attends to those
    before it; the nodes from `last` to `reach` attend to the whole chain."""
    blocks: Ints
    "[number, length]: the nodes of each block, padded with -1."
    retained_path: int
    "Length of the part of the path that also leads to the next batch."
    new_path_nodes: Ints
    "Nodes of this batch that follow the retained part on the path to the next batch."


class BatchCutter:
    """Cuts a tree into batches."""

    def __init__(self, tree: PrefixTree, is_projected: npt.NDArray[np.bool_]) -> None:
        """`is_projected` says for every node of the tree whether its logits are needed."""
        self._tree = tree
        self._row_counts = np.concatenate([[0], np.cumsum(is_projected)])

    def next_batch(self, start: int, budget: Budget) -> PackedBatch:
        """The batch that begins at node `start`: as many units as the budget holds, at least a
        piece.

        A block is never divided; if one alone exceeds the budget, it becomes the batch.
        """
        tree, counts = self._tree, self._row_counts
        # The last node at which the batch may end without exceeding the budget of rows.
        row_end = int(np.searchsorted(counts, counts[start] + budget.rows, side="right")) - 1
        end = start
        chains: list[tuple[int, int]] = []
        blocks: list[tuple[int, int]] = []
        unit = int(np.searchsorted(tree.unit_edges, start, side="right")) - 1
        # Every unit has a node, and another one may be divided.
        last = unit + budget.tokens + 1
        stops = tree.unit_edges[unit + 1 : last + 1].tolist()
        for unit_stop, is_chain in zip(stops, tree.unit_is_chain[unit:last].tolist(), strict=True):
            first = end
            remaining = budget.tokens - (end - start)
            if is_chain:
                stop = min(unit_stop, first + remaining, max(row_end, first))
                is_whole = stop == unit_stop
                if end > start and not is_whole and stop - first < MIN_CHAIN_PIECE:
                    break
                stop = max(stop, first + 1)
                chains.append((first, stop))
                end = stop
                if not is_whole:
                    break
            else:
                if end > start and (unit_stop - first > remaining or unit_stop > row_end):
                    break
                blocks.append((first, unit_stop))
                end = unit_stop
        return _packed_batch(tree, start, end, chains, blocks)


def _packed_batch(
    tree: PrefixTree,
    start: int,
    stop: int,
    chains: list[tuple[int, int]],
    blocks: list[tuple[int, int]],
) -> PackedBatch:
    """Describe the batch of these chains and blocks, given as (first, last) nodes of the tree."""
    depth = tree.depth[start:stop]
    # A node's ancestors on the path: as many as the least depth since the start of the batch.
    path_length = np.minimum.accumulate(depth)
    edges = [0, *(np.flatnonzero(np.diff(path_length)) + 1).tolist(), stop - start]
    groups = [(a, b, int(path_length[a])) for a, b in pairwise(edges)]
    relative_chains = [
        (a - start, b - start, min(int(tree.reach[a]), stop) - start) for a, b in chains
    ]
    longest = max((b - a for a, b in blocks), default=0)
    block_nodes = np.full((len(blocks), longest), -1, dtype=np.int64)
    for row, (a, b) in enumerate(blocks):
        block_nodes[row, : b - a] = np.arange(a - start, b - start)
    retained, new_nodes = 0, np.empty(0, dtype=np.int64)
    if stop < len(tree.depth):
        retained = min(int(path_length[-1]), int(tree.depth[stop]))
        open_chains = [np.arange(a - start, b - start) for a, b in chains if tree.reach[a] > stop]
        new_nodes = np.concatenate(open_chains) if open_chains else new_nodes
    return PackedBatch(
        start,
        stop,
        tuple(group for group in groups if group[2]),
        tuple(relative_chains),
        block_nodes,
        retained,
        new_nodes,
    )
