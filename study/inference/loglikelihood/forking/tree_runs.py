"""The unbranched runs of a prefix tree, and which of them are computed together.

In: a `PrefixTree`. Out: `TreeRuns`, and batches of siblings as padded arrays of nodes. Runs are
numbered in depth-first order, as nodes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from study.inference.prefix_tree import Ints, PrefixTree


@dataclass(frozen=True)
class RunBatch:
    """Siblings that one forward pass computes."""

    runs: list[int]
    nodes: Ints
    "[runs, length]: padding repeats the last node of a run."
    occupied: npt.NDArray[np.bool_]
    "[runs, length]: whether a slot is not padding."
    depth: int
    "Number of ancestors of the first node of each run."


@dataclass(frozen=True)
class TreeRuns:
    """Runs of nodes of which each is the only child of the one before it."""

    start: Ints
    "[runs + 1]: the first node of each run, and the number of nodes."
    depth: Ints
    "[runs]: depth of the first node, counted from the beginning of the sequences."
    end: Ints
    "[runs]: one past the last run below each run."

    @classmethod
    def of(cls, tree: PrefixTree) -> TreeRuns:
        """The runs of a tree."""
        depth, reach = tree.depth, tree.reach
        # An only child has the same last descendant as its parent, and follows it.
        is_first = np.ones(len(depth), dtype=np.bool_)
        is_first[1:] = (reach[1:] != reach[:-1]) | (depth[1:] != depth[:-1] + 1)
        start = np.append(np.flatnonzero(is_first), len(depth))
        return cls(start, depth[start[:-1]], np.searchsorted(start, reach[start[:-1]]))

    def roots(self) -> list[int]:
        """The runs that begin the sequences."""
        return self._siblings(0, len(self.depth))

    def children(self, run: int) -> list[int]:
        """The runs right below a run."""
        return self._siblings(run + 1, int(self.end[run]))

    def next_batch(self, siblings: list[int], max_tokens: int) -> tuple[RunBatch, list[int]]:
        """A batch of at most `max_tokens` slots, at least one run, and the remaining siblings.

        Runs without descendants come last, in batches of similar lengths.
        """
        with_children = [run for run in siblings if self.end[run] > run + 1]
        candidates = with_children or siblings
        candidates = sorted(candidates, key=self._length, reverse=True)
        longest = self._length(candidates[0])
        if with_children:
            candidates = [run for run in candidates if self._length(run) == longest]
        runs = sorted(candidates[: max(1, max_tokens // longest)])
        chosen = set(runs)
        return self._batch(runs, longest), [run for run in siblings if run not in chosen]

    def _siblings(self, run: int, end: int) -> list[int]:
        runs = []
        while run < end:
            runs.append(run)
            run = int(self.end[run])
        return runs

    def _length(self, run: int) -> int:
        return int(self.start[run + 1] - self.start[run])

    def _batch(self, runs: list[int], longest: int) -> RunBatch:
        columns: Any = np.arange(longest)
        lengths = np.array([self._length(run) for run in runs])[:, None]
        nodes = self.start[runs][:, None] + np.minimum(columns, lengths - 1)
        return RunBatch(runs, nodes, columns < lengths, int(self.depth[runs[0]]))
