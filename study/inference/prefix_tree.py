"""The prefix tree of a set of token sequences, stored in flat arrays.

In: token sequences. Out: `PrefixTree`, which holds every distinct (prefix, token) once. Nodes are
in depth-first order, so the descendants of a node are the contiguous range after it. The order is
divided into units that are computed together: chains (long unbranched runs with many descendants)
and blocks (small subtrees, or several small subtrees of the same parent). Nothing here depends on
models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TreeUnit:
    """The contiguous range of nodes from `start` to `stop` (exclusive)."""

    start: int
    stop: int
    is_chain: bool
    "Whether each node is the parent of the next. A chain may be divided; a block may not."


@dataclass(frozen=True)
class PrefixTree:
    """Nodes in depth-first order. All arrays have one entry per node."""

    tokens: Ints
    depth: Ints
    "Number of ancestors: the token's position in every sequence that contains it."
    reach: Ints
    "One past the last descendant. Node j is i or an ancestor of i iff j <= i < reach[j]."
    units: tuple[TreeUnit, ...]
    "In depth-first order; together they cover all nodes."
    last_runs: tuple[_Run, ...]
    "For every input sequence, the run in which it ends."

    def path(self, sequence: int, start: int, stop: int) -> Ints:
        """Nodes of the tokens `start` to `stop` of an input sequence, given by its index."""
        pieces: list[Ints] = []
        run: _Run | None = self.last_runs[sequence]
        while run is not None and run.stop > start:
            low, high = max(run.start, start), min(run.stop, stop)
            if low < high:
                offset = run.first_node - run.start
                pieces.append(np.arange(offset + low, offset + high, dtype=np.int64))
            run = run.parent
        return np.concatenate(pieces[::-1]) if pieces else np.empty(0, dtype=np.int64)


@dataclass(eq=False)
class _Run:
    """An unbranched run of nodes: the tokens `start` to `stop` of one of the sequences."""

    start: int
    stop: int
    sequence: Ints
    children: list[_Run] = field(default_factory=list)
    parent: _Run | None = None
    size: int = 0
    "Number of nodes in the run and below it."
    max_depth: int = 0
    "Greatest depth in the run and below it, exclusive."
    first_node: int = 0
    "Index of its first node in depth-first order."


def build_prefix_tree(
    sequences: Sequence[Sequence[int]], *, block_size: int, first_depth: int = 0
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
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    # Big-endian bytes sort in the order of the tokens, and much faster than lists of integers.
    keys = [array.astype(">u4").tobytes() for array in arrays]
    distinct = dict(sorted(zip(keys, arrays, strict=True), key=lambda entry: entry[0]))
    root, last_runs = _build_runs(list(distinct.values()))
    _measure_subtrees(root)
    units = _number_nodes(root, block_size)
    tokens = np.empty(root.size, dtype=np.int64)
    depth, reach = np.empty_like(tokens), np.empty_like(tokens)
    for run in _all_runs(root):
        nodes = slice(run.first_node, run.first_node + run.stop - run.start)
        tokens[nodes] = run.sequence[run.start : run.stop]
        depth[nodes] = np.arange(first_depth + run.start, first_depth + run.stop)
        reach[nodes] = run.first_node + run.size
    last_run = dict(zip(distinct, last_runs, strict=True))
    return PrefixTree(tokens, depth, reach, tuple(units), tuple(last_run[key] for key in keys))


def common_prefix_length(a: Ints, b: Ints) -> int:
    """Length of the longest common prefix of two token arrays."""
    length = min(len(a), len(b))
    differences = np.flatnonzero(a[:length] != b[:length])
    return int(differences[0]) if len(differences) else length


def _build_runs(arrays: list[Ints]) -> tuple[_Run, list[_Run]]:
    """The compressed tree of sorted, distinct arrays, and the run in which each array ends."""
    root = _Run(0, 0, np.empty(0, dtype=np.int64))
    stack, last_runs = [root], []
    previous = root.sequence
    for array in arrays:
        common = common_prefix_length(previous, array)
        lower: _Run | None = None
        while stack[-1].stop > common:
            lower = stack.pop()
        top = stack[-1]
        if top.stop < common:  # the branch lies within the run below: split that run
            assert lower is not None
            upper = _Run(top.stop, common, lower.sequence, [lower], top)
            top.children[-1], lower.start, lower.parent = upper, common, upper
            stack.append(upper)
        if len(array) > common:
            leaf = _Run(common, len(array), array, parent=stack[-1])
            stack[-1].children.append(leaf)
            stack.append(leaf)
        last_runs.append(stack[-1])
        previous = array
    return root, last_runs


def _all_runs(root: _Run) -> list[_Run]:
    """All runs of the tree, parents before children."""
    runs = [root]
    for run in runs:
        runs.extend(run.children)
    return runs


def _measure_subtrees(root: _Run) -> None:
    for run in reversed(_all_runs(root)):
        run.size = run.stop - run.start + sum(child.size for child in run.children)
        run.max_depth = max([run.stop, *(child.max_depth for child in run.children)])


def _number_nodes(root: _Run, block_size: int) -> list[TreeUnit]:
    """Number all nodes in depth-first order and divide the order into units."""
    units: list[TreeUnit] = []
    node = 0
    # Pending work: a large run, or a list of small subtrees that form one block.
    pending: list[_Run | list[_Run]] = [root] if root.size > block_size else [[root]]
    while pending:
        entry = pending.pop()
        if isinstance(entry, list):
            start = node
            for subtree in entry:
                node = _number_subtree(subtree, node)
            if node > start:
                units.append(TreeUnit(start, node, is_chain=False))
            continue
        entry.first_node = node
        node += entry.stop - entry.start
        if node > entry.first_node:
            units.append(TreeUnit(entry.first_node, node, is_chain=True))
        large = sorted(
            (child for child in entry.children if child.size > block_size),
            key=lambda run: run.max_depth,
        )
        small = [child for child in entry.children if child.size <= block_size]
        # The deepest subtree comes first: running out of memory then costs the least work.
        pending.extend(_group_siblings(small, block_size)[::-1])
        pending.extend(large)
    return units


def _group_siblings(subtrees: list[_Run], block_size: int) -> list[list[_Run]]:
    """Group small siblings, so that blocks are few and of similar size."""
    groups: list[list[_Run]] = []
    remaining = 0
    for subtree in sorted(subtrees, key=lambda run: -run.size):
        if subtree.size > remaining:
            groups.append([])
            remaining = block_size
        groups[-1].append(subtree)
        remaining -= subtree.size
    return groups


def _number_subtree(subtree: _Run, node: int) -> int:
    """Number a subtree's nodes from `node` on; the first number after them."""
    pending = [subtree]
    while pending:
        run = pending.pop()
        run.first_node = node
        node += run.stop - run.start
        pending.extend(run.children[::-1])
    return node
