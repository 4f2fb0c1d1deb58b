"""Packs: the stretches of a tree that one forward pass computes, and who attends to whom there.

In: a `Tree`, where to begin, a `Budget`. Out: `Pack`. A pack is a contiguous range of nodes in
depth-first order, so the ancestors that lie outside it are exactly the path to its first node:
that path is all that a key/value cache must hold. Pure; all indices in a pack count from its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from study.inference.prefix_tree import Ints, Tree

LEAST_PIECE = 32
"A chain is not cut to put fewer nodes than this at the end of a pack."


@dataclass(frozen=True)
class Budget:
    """What one forward pass may hold."""

    tokens: int
    rows: int
    "Nodes that are projected onto the vocabulary."

    def halved(self) -> Budget | None:
        """Half of it, or None when there is nothing left to halve."""
        return None if self.tokens <= 1 and self.rows <= 1 else self.shared(0.5)

    def shared(self, share: float) -> Budget:
        """That share of it, one token and row at least."""
        return Budget(max(1, int(self.tokens * share)), max(1, int(self.rows * share)))


@dataclass(frozen=True)
class Pack:
    """Nodes `start` to `stop` of a tree, and the structure of attention between them."""

    start: int
    stop: int
    path_groups: tuple[tuple[int, int, int], ...]
    "(from, to, share): these nodes attend to the first `share` nodes of the path."
    chains: tuple[tuple[int, int, int], ...]
    "(from, to, reach): each attends to those before it, and all nodes from `to` to `reach` to it."
    blocks: Ints
    "[number, length]: nodes of each block, -1 where it is shorter."
    path_kept: int
    "How much of the path is the path of the next pack too,"
    path_added: Ints
    "and which nodes of this pack follow there."


def cut(tree: Tree, start: int, budget: Budget, wanted: npt.NDArray[np.bool_]) -> Pack:
    """The next pack from `start`: as many units as the budget holds, one piece at least.

    `wanted` tells for every node of the tree whether it is projected. A block is never parted; if
    it alone exceeds the budget, it is the pack.
    """
    counts = np.concatenate([[0], np.cumsum(wanted[start:])])
    at = start
    chains: list[tuple[int, int]] = []
    blocks: list[tuple[int, int]] = []
    for unit in tree.units[_unit_at(tree, start) :]:
        begin = max(unit.start, start)
        room = budget.tokens - (at - start)
        # The furthest end at which no more rows are wanted than may be.
        end = start + int(np.searchsorted(counts, budget.rows, side="right")) - 1
        if unit.chain:
            stop = min(unit.stop, begin + room, max(end, begin))
            whole = stop == unit.stop
            if at > start and not whole and stop - begin < LEAST_PIECE:
                break
            stop = max(stop, begin + 1)
            chains.append((begin, stop))
            at = stop
            if not whole:
                break
        else:
            if at > start and (unit.stop - begin > room or unit.stop > end):
                break
            blocks.append((begin, unit.stop))
            at = unit.stop
    return _pack(tree, start, at, chains, blocks)


def _unit_at(tree: Tree, node: int) -> int:
    starts = np.fromiter((unit.start for unit in tree.units), dtype=np.int64)
    return int(np.searchsorted(starts, node, side="right")) - 1


def _pack(
    tree: Tree, start: int, stop: int, chains: list[tuple[int, int]], blocks: list[tuple[int, int]]
) -> Pack:
    depth = tree.depth[start:stop]
    # A node shares with the path what every node since the pack's start was at least as deep as.
    share = np.minimum.accumulate(depth)
    edges = [0, *(np.flatnonzero(np.diff(share)) + 1).tolist(), stop - start]
    groups = [(a, b, int(share[a])) for a, b in pairwise(edges)]
    within = [
        (a - start, b - start, min(int(tree.reach[a]), stop) - start) for a, b in chains
    ]  # fmt: skip
    longest = max((b - a for a, b in blocks), default=0)
    index = np.full((len(blocks), longest), -1, dtype=np.int64)
    for row, (a, b) in enumerate(blocks):
        index[row, : b - a] = np.arange(a - start, b - start)
    kept, added = 0, np.empty(0, dtype=np.int64)
    if stop < len(tree.depth):
        kept = min(int(share[-1]), int(tree.depth[stop]))
        over = [np.arange(a - start, b - start) for a, b in chains if tree.reach[a] > stop]
        added = np.concatenate(over) if over else added
    return Pack(
        start, stop, tuple(group for group in groups if group[2]), tuple(within), index, kept, added
    )
