"""The compressed prefix tree of token sequences: unbranched runs, and what is below them.

In: `TokenSequences`. Out: `PrefixRuns`. Runs end where sequences branch or end, in whatever order
the sequences come. A sequence is inserted where it leaves the one before it, so that the tokens
they share are not read again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.inference.prefix_tree.sequences import Ints, TokenSequences, common_prefix_length

TOKEN_BITS = 32
"Bits of a token id."


@dataclass(frozen=True)
class PrefixRuns:
    """Runs of tokens. Run 0 is the root, which has none; the others come in no order."""

    start: Ints
    "[runs]: depth of the first token."
    stop: Ints
    "[runs]: depth of the last token, exclusive."
    parent: Ints
    "[runs]: the run that this one follows; -1 for the root."
    origin: Ints
    "[runs]: the token at depth d of a run is at `origin` + d in the tokens of the sequences."
    last: Ints
    "[sequences]: the run in which each sequence ends."


def prefix_runs(sequences: TokenSequences) -> PrefixRuns:
    """The runs of all sequences."""
    tree = _GrowingTree(sequences)
    bounds = (sequences.shared, sequences.lengths, sequences.offsets[:-1] - sequences.shared)
    last = [tree.insert(*numbers) for numbers in zip(*(b.tolist() for b in bounds), strict=True)]
    arrays = (tree.start, tree.stop, tree.parent, tree.origin, last)
    return PrefixRuns(*(np.array(numbers, dtype=np.int64) for numbers in arrays))


class _GrowingTree:
    """The runs of the sequences so far, and the path to the last one."""

    def __init__(self, sequences: TokenSequences) -> None:
        self._tokens = sequences.tokens
        # A memoryview gives single tokens much faster than an array.
        self._token = np.ascontiguousarray(sequences.tokens).data
        self.start, self.stop, self.parent, self.origin = [0], [0], [-1], [0]
        self._children: dict[int, int] = {}
        """Runs by the run above and their first token, as one number: millions of small containers
        would be traversed by every garbage collection."""
        self._path = [0]

    def insert(self, shared: int, length: int, origin: int) -> int:
        """Add a sequence that begins with the first `shared` tokens of the one before it. Returns
        the run in which it ends; its token at depth d >= `shared` is at `origin` + d."""
        path, start, stop = self._path, self.start, self.stop
        depth = shared
        while len(path) > 1 and start[path[-1]] >= depth:
            path.pop()
        while True:
            if depth < stop[path[-1]]:
                path[-1] = self._split(path[-1], depth)
            run = path[-1]
            if depth == length:
                return run
            child = self._children.get(run << TOKEN_BITS | self._token[origin + depth])
            if child is None:
                path.append(self._add(depth, length, run, origin))
                return path[-1]
            first, limit = self.origin[child], min(stop[child], length)
            depth += 1
            # Most that begin alike differ soon.
            if depth < limit and self._token[origin + depth] == self._token[first + depth]:
                own = self._tokens[origin + depth : origin + limit]
                depth += common_prefix_length(own, self._tokens[first + depth : first + limit])
            path.append(child)

    def _add(self, start: int, stop: int, parent: int, origin: int) -> int:
        run = len(self.start)
        self.start.append(start)
        self.stop.append(stop)
        self.parent.append(parent)
        self.origin.append(origin)
        self._children[parent << TOKEN_BITS | self._token[origin + start]] = run
        return run

    def _split(self, run: int, depth: int) -> int:
        """Divide a run at a depth within it; returns the upper part, which is new."""
        upper = self._add(self.start[run], depth, self.parent[run], self.origin[run])
        self._children[upper << TOKEN_BITS | self._token[self.origin[run] + depth]] = run
        self.start[run], self.parent[run] = depth, upper
        return upper
