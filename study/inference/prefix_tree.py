"""The prefix tree over the token sequences of a call, laid out flat.

In: token sequences. Out: `Tree`: every distinct (prefix, token) once, in depth-first order, so
that what is below a node is the contiguous range after it, and the units in which the engine
computes it: chains (long runs that much hangs from) and blocks (small subtrees, or several of them
that hang from the same node). Nothing here knows of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Unit:
    """A contiguous range of nodes, `start` to `stop`."""

    start: int
    stop: int
    chain: bool
    "Whether it is a run in which each node has the one before as its parent; it may be cut."


@dataclass(frozen=True)
class Tree:
    """Nodes in depth-first order; all arrays are one long per node."""

    tokens: Ints
    depth: Ints
    "Number of ancestors, which is the position in every sequence that passes here."
    reach: Ints
    "One past the last node below; j is i's ancestor or i itself if and only if j <= i < reach[j]."
    units: tuple[Unit, ...]
    "In order, covering all nodes."
    last_runs: tuple[_Run, ...]
    "For every sequence given, the run that it ends in."

    def path(self, sequence: int, start: int, stop: int) -> Ints:
        """Nodes of a sequence's tokens `start` to `stop`."""
        pieces: list[Ints] = []
        run: _Run | None = self.last_runs[sequence]
        while run is not None and run.stop > start:
            least, most = max(run.start, start), min(run.stop, stop)
            if least < most:
                first = run.first - run.start
                pieces.append(np.arange(first + least, first + most, dtype=np.int64))
            run = run.parent
        return np.concatenate(pieces[::-1]) if pieces else np.empty(0, dtype=np.int64)


@dataclass(eq=False)
class _Run:
    """A run of nodes without a branch: depths `start` to `stop` of one of the sequences."""

    start: int
    stop: int
    sequence: Ints
    children: list[_Run] = field(default_factory=list)
    parent: _Run | None = None
    size: int = 0
    "Nodes in it and below."
    longest: int = 0
    "Greatest depth below, exclusive."
    first: int = 0
    "Where its first node stands in depth-first order."


def prefix_tree(sequences: Sequence[Sequence[int]], *, block: int, after: int = 0) -> Tree:
    """The tree of all sequences; subtrees of up to `block` nodes become blocks.

    `after`: length of a path that is common to all and not in them; depths count from there.
    """
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    # Big-endian bytes compare as the tokens do, and far faster than lists of them.
    keys = [array.astype(">u4").tobytes() for array in arrays]
    distinct = dict(sorted(zip(keys, arrays, strict=True), key=lambda entry: entry[0]))
    root, ends = _runs(list(distinct.values()))
    _measure(root)
    units = _lay_out(root, block)
    tokens = np.empty(root.size, dtype=np.int64)
    depth, reach = np.empty_like(tokens), np.empty_like(tokens)
    for run in _every(root):
        at = slice(run.first, run.first + run.stop - run.start)
        tokens[at] = run.sequence[run.start : run.stop]
        depth[at] = np.arange(after + run.start, after + run.stop)
        reach[at] = run.first + run.size
    of_key = dict(zip(distinct, ends, strict=True))
    return Tree(tokens, depth, reach, tuple(units), tuple(of_key[key] for key in keys))


def _runs(arrays: list[Ints]) -> tuple[_Run, list[_Run]]:
    """The compressed tree of sorted, distinct arrays, and the run that each ends in."""
    root = _Run(0, 0, np.empty(0, dtype=np.int64))
    stack, ends = [root], []
    before = root.sequence
    for array in arrays:
        common = shared_length(before, array)
        below: _Run | None = None
        while stack[-1].stop > common:
            below = stack.pop()
        top = stack[-1]
        if top.stop < common:  # the branch is within the run below: part it
            assert below is not None
            upper = _Run(top.stop, common, below.sequence, [below], top)
            top.children[-1], below.start, below.parent = upper, common, upper
            stack.append(upper)
        if len(array) > common:
            leaf = _Run(common, len(array), array, parent=stack[-1])
            stack[-1].children.append(leaf)
            stack.append(leaf)
        ends.append(stack[-1])
        before = array
    return root, ends


def shared_length(a: Ints, b: Ints) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


def _every(root: _Run) -> list[_Run]:
    """All runs, parents before children."""
    found = [root]
    for run in found:
        found.extend(run.children)
    return found


def _measure(root: _Run) -> None:
    for run in reversed(_every(root)):
        run.size = run.stop - run.start + sum(child.size for child in run.children)
        run.longest = max([run.stop, *(child.longest for child in run.children)])


def _lay_out(root: _Run, block: int) -> list[Unit]:
    """Places all runs in depth-first order and cuts the order into units."""
    units: list[Unit] = []
    at = 0
    waiting: list[_Run | list[_Run]] = [root] if root.size > block else [[root]]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, list):
            start = at
            for subtree in entry:
                at = _place(subtree, at)
            if at > start:
                units.append(Unit(start, at, chain=False))
            continue
        entry.first = at
        at += entry.stop - entry.start
        if at > entry.first:
            units.append(Unit(entry.first, at, chain=True))
        large = sorted((c for c in entry.children if c.size > block), key=lambda run: run.longest)
        small = [child for child in entry.children if child.size <= block]
        # Longest first: what needs most memory comes before the rest has been computed.
        waiting.extend(_bins(small, block)[::-1])
        waiting.extend(large)
    return units


def _bins(subtrees: list[_Run], block: int) -> list[list[_Run]]:
    """Small siblings put together, so that blocks are few and of like size."""
    bins: list[list[_Run]] = []
    room = 0
    for subtree in sorted(subtrees, key=lambda run: -run.size):
        if subtree.size > room:
            bins.append([])
            room = block
        bins[-1].append(subtree)
        room -= subtree.size
    return bins


def _place(subtree: _Run, at: int) -> int:
    waiting = [subtree]
    while waiting:
        run = waiting.pop()
        run.first = at
        at += run.stop - run.start
        waiting.extend(run.children[::-1])
    return at
