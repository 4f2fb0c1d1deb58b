"""The prefix tree of a set of token sequences, stored in flat arrays.

In: token sequences. Out: `PrefixTree`, which holds every distinct (prefix, token) once. Nodes are
in depth-first order, so the descendants of a node are the contiguous range after it. The order is
divided into units that are computed together: chains (long unbranched runs with many descendants)
and blocks (small subtrees, or several small subtrees of the same parent). Nothing here depends on
models. Time and memory grow with the nodes, not with the tokens of all sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.inference.prefix_tree.runs import PrefixRuns, prefix_runs
from study.inference.prefix_tree.sequences import Ints, TokenSequences


@dataclass(frozen=True)
class PrefixTree:
    """Nodes in depth-first order. `tokens`, `depth` and `reach` have one entry per node."""

    tokens: Ints
    depth: Ints
    "Number of ancestors: the token's position in every sequence that contains it."
    reach: Ints
    "One past the last descendant. Node j is i or an ancestor of i iff j <= i < reach[j]."
    unit_edges: Ints
    "[units + 1]: the first node of each unit, and in the end the number of nodes."
    unit_is_chain: npt.NDArray[np.bool_]
    """[units]: whether each node of a unit is the parent of the next. A chain may be divided; a
    block may not."""
    runs: PrefixRuns
    run_nodes: Ints
    "[runs]: the first node of each run."

    def path(self, sequence: int, start: int, stop: int) -> Ints:
        """Nodes of the tokens `start` to `stop` of an input sequence, given by its index."""
        return self.paths(np.array([sequence]), np.array([start]), np.array([max(start, stop)]))

    def paths(self, sequences: Ints, starts: Ints, stops: Ints) -> Ints:
        """Nodes of the tokens `starts` to `stops` of each of several input sequences, one after the
        other."""
        ends = np.cumsum(stops - starts)
        nodes = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.int64)
        first = ends - (stops - starts)
        runs, rows = self.runs.last[sequences], np.arange(len(sequences))
        while len(rows):  # from the end of each sequence towards the root
            run_start, run_stop = self.runs.start[runs], self.runs.stop[runs]
            low = np.maximum(run_start, starts[rows])
            sizes = np.maximum(np.minimum(run_stop, stops[rows]) - low, 0)
            within = _ranges(sizes)
            target = np.repeat(first[rows] + low - starts[rows], sizes) + within
            nodes[target] = np.repeat(self.run_nodes[runs] + low - run_start, sizes) + within
            remaining = run_start > starts[rows]
            rows, runs = rows[remaining], self.runs.parent[runs[remaining]]
        return nodes


def build_prefix_tree(
    sequences: TokenSequences | Sequence[Sequence[int]], *, block_size: int, first_depth: int = 0
) -> PrefixTree:
    """Build the tree of all sequences.

    Parameters
    ----------
    sequences
        Token ids; duplicates and empty sequences are allowed.
    block_size
        Subtrees of up to this many nodes become blocks.
    first_depth
        Length of a prefix that all sequences share and that is not part of them; depths are
        counted from its beginning.
    """
    if not isinstance(sequences, TokenSequences):
        sequences = TokenSequences.of(sequences)
    runs = prefix_runs(sequences)
    levels = _levels(runs.parent)
    size, max_depth = _measure_subtrees(runs, levels)
    first_token = np.zeros_like(size)
    first_token[1:] = sequences.tokens[(runs.origin + runs.start)[1:]]
    order = _sibling_order(runs, size, max_depth, first_token, block_size)
    first_node = _first_nodes(runs, levels, size, order)
    edges, is_chain = _units(runs, size, first_node, order, block_size)
    by_node = np.argsort(first_node, kind="stable")
    lengths = (runs.stop - runs.start)[by_node]
    depth = np.repeat(runs.start[by_node], lengths) + _ranges(lengths)
    tokens = sequences.tokens[np.repeat(runs.origin[by_node], lengths) + depth].astype(np.int64)
    reach = np.repeat((first_node + size)[by_node], lengths)
    return PrefixTree(tokens, depth + first_depth, reach, edges, is_chain, runs, first_node)


def _ranges(sizes: Ints) -> Ints:
    """0 to each size (exclusive), one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - sizes, sizes)


def _levels(parent: Ints) -> list[Ints]:
    """The runs below the root by their number of ancestors, ascending."""
    order = np.argsort(parent, kind="stable")  # the root first
    edges = np.searchsorted(parent[order], np.arange(len(parent) + 1))
    levels: list[Ints] = []
    level = np.zeros(1, dtype=np.int64)
    while True:
        counts = edges[level + 1] - edges[level]
        level = order[np.repeat(edges[level], counts) + _ranges(counts)]
        if not len(level):
            return levels
        levels.append(level)


def _measure_subtrees(runs: PrefixRuns, levels: list[Ints]) -> tuple[Ints, Ints]:
    """For each run, the number of nodes in it and below it, and their greatest depth, exclusive."""
    size, max_depth = runs.stop - runs.start, runs.stop.copy()
    for level in reversed(levels):
        np.add.at(size, runs.parent[level], size[level])
        np.maximum.at(max_depth, runs.parent[level], max_depth[level])
    return size, max_depth


def _first_nodes(runs: PrefixRuns, levels: list[Ints], size: Ints, order: Ints) -> Ints:
    """The first node of each run, for siblings in the order of `order`."""
    length, parent = runs.stop - runs.start, runs.parent[order]
    # Nodes of the siblings before each run.
    before = np.cumsum(size[order]) - size[order]
    is_first = np.diff(parent, prepend=-1) != 0
    before -= np.maximum.accumulate(np.where(is_first, before, 0))
    first_node = np.zeros_like(size)
    first_node[order] = length[parent] + before
    for level in levels:
        first_node[level] += first_node[runs.parent[level]]
    return first_node


def _units(
    runs: PrefixRuns, size: Ints, first_node: Ints, order: Ints, block_size: int
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """`unit_edges` and `unit_is_chain` of the tree."""
    if size[0] <= block_size:
        edges = np.unique([0, size[0]])
        return edges, np.zeros(len(edges) - 1, dtype=np.bool_)
    chains = first_node[(size > block_size) & (runs.stop > runs.start)]
    blocks = first_node[_block_beginnings(order, runs.parent[order], size, block_size)]
    edges = np.concatenate([chains, blocks])
    by_node = np.argsort(edges)
    return np.append(edges[by_node], size[0]), by_node < len(chains)


def _sibling_order(
    runs: PrefixRuns, size: Ints, max_depth: Ints, first_token: Ints, block_size: int
) -> Ints:
    """All runs but the root: by parent, and siblings in the order of their nodes.

    Large subtrees come first, and of them the deepest: running out of memory then costs the least
    work. Small ones come by descending size, to be grouped; within them the tokens decide.
    """
    is_large = size > block_size
    below_large = is_large[runs.parent]
    keys = (
        np.where(is_large, -first_token, first_token),
        np.where(is_large, -max_depth, np.where(below_large, -size, 0)),
        ~is_large,
        runs.parent,
    )
    return np.lexsort(keys)[1:]


def _block_beginnings(order: Ints, parent: Ints, size: Ints, block_size: int) -> Ints:
    """The runs at which blocks begin: small siblings are grouped, so that blocks are few and of
    similar size."""
    small = (size[parent] > block_size) & (size[order] <= block_size)
    beginnings, previous, remaining = [], -1, 0
    for run, above, nodes in zip(
        order[small].tolist(), parent[small].tolist(), size[order[small]].tolist(), strict=True
    ):
        if above != previous or nodes > remaining:
            beginnings.append(run)
            previous, remaining = above, block_size
        remaining -= nodes
    return np.array(beginnings, dtype=np.int64)
