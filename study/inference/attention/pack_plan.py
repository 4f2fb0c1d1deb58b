"""Which calls of attention one packed batch needs, under one position rule.

In: a `PackedBatch`, the depths of its nodes and of the first ancestors that they see. Out:
`PackPlan`, with all index tensors and masks on the device of a layer: made once, for all layers
with this rule. Everything is computed on the CPU and moved, so that no layer waits for a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from study.inference.attention.hook import PositionRule, UnsupportedModelError
from study.inference.attention.masks import Mask
from study.inference.attention.padded_blocks import PaddedBlocks
from study.inference.attention.segments import Segments, Span
from study.inference.attention.windows import WindowBand, first_visible, window_width
from study.inference.prefix_tree import Ints
from study.inference.prefix_tree.packed_batches import PackedBatch


@dataclass(frozen=True)
class AncestorSpan:
    """A range of nodes, and a range of ancestors that they attend to together."""

    queries: Span
    keys: Span
    on_path: bool
    "Whether the keys are nodes of the path; else they are nodes of the batch."
    mask: Mask | None
    "None if every query sees every key."


@dataclass(frozen=True)
class PackPlan:
    """The calls of attention; together they cover every node and its visible ancestors."""

    chains: Segments | None
    "Every chain over itself."
    blocks: PaddedBlocks | None
    "Every block over itself."
    descendants: tuple[Segments, ...]
    "Nodes below chains over the chains: one call for each level of nesting."
    spans: tuple[AncestorSpan, ...]
    "Nodes over the path, and those that see a part of a chain only."


class PackPlanner:
    """Makes the plans of one batch."""

    def __init__(self, batch: PackedBatch, depth: Ints, reach: Ints) -> None:
        """`depth` and `reach` are those of the nodes of the batch, counted from its start."""
        self._batch, self._depth, self._reach = batch, depth, reach

    def plan(self, rule: PositionRule | None, dtype: torch.dtype, device: torch.device) -> PackPlan:
        """The plan for layers with this rule, whose queries have this number format.

        UnsupportedModelError if the rule is neither a sliding window nor divides sequences into
        chunks.
        """
        lowest = np.zeros_like(self._depth) if rule is None else first_visible(rule, self._depth)
        depth, reach, low = (torch.from_numpy(x) for x in (self._depth, self._reach, lowest))
        levels, partial = self._descendants(lowest)
        spans = [
            AncestorSpan(*span, on_path, self._mask(*span, on_path, lowest, dtype, device))
            for span, on_path in [
                *((span, False) for span in partial),
                *((span, True) for span in self._path_spans(lowest)),
            ]
        ]
        blocks = self._batch.blocks
        return PackPlan(
            self._chains(lowest, device),
            PaddedBlocks.from_nodes(blocks, depth, reach, low, dtype, device)
            if len(blocks)
            else None,
            tuple(
                Segments.from_spans([q for q, _ in level], [k for _, k in level], device)
                for level in levels
                if level
            ),
            tuple(spans),
        )

    def _chains(self, lowest: Ints, device: torch.device) -> Segments | None:
        """Every chain over itself; divided where a rule begins a new chunk."""
        if not self._batch.chains:
            return None
        width = window_width(self._depth, lowest)
        band = None
        pieces = [(start, stop) for start, stop, _ in self._batch.chains]
        if width is None:
            pieces = [piece for chain in pieces for piece in self._chunks(chain, lowest)]
        elif any(stop - start > width for start, stop in pieces):
            band = WindowBand(width)
        return Segments.from_spans(pieces, pieces, device, causal=True, window=band)

    def _chunks(self, chain: Span, lowest: Ints) -> Iterator[Span]:
        start, stop = chain
        # The first node of the chain that each of its nodes sees.
        first = np.maximum(0, lowest[start:stop] - self._depth[start])
        begins = np.flatnonzero(np.diff(first, prepend=0))
        if not np.array_equal(first[begins], begins):
            raise UnsupportedModelError("its attention is neither a sliding window nor in chunks")
        edges = [start, *(begins + start).tolist(), stop]
        yield from pairwise(edges)

    def _descendants(
        self, lowest: Ints
    ) -> tuple[list[list[tuple[Span, Span]]], list[tuple[Span, Span]]]:
        """(queries, keys) of the nodes below every chain.

        First those that see the whole chain, by the number of chains above it; then those of which
        some see only a part.
        """
        levels: list[list[tuple[Span, Span]]] = []
        partial: list[tuple[Span, Span]] = []
        ends: list[int] = []
        for start, stop, reach in self._batch.chains:
            while ends and ends[-1] <= start:
                ends.pop()
            ends.append(reach)
            if len(levels) < len(ends):
                levels.append([])
            first = int(self._depth[start])
            span = self._visible((stop, reach), (first, first + stop - start), lowest)
            if span is not None:
                queries, (low, high) = span
                keys = (start + low - first, start + high - first)
                sees_all = lowest[slice(*queries)].max() <= low
                (levels[len(ends) - 1] if sees_all else partial).append((queries, keys))
        return levels, partial

    def _path_spans(self, lowest: Ints) -> Iterator[tuple[Span, Span]]:
        for start, stop, length in self._batch.path_groups:
            span = self._visible((start, stop), (0, length), lowest)
            if span is not None:
                yield span

    @staticmethod
    def _visible(queries: Span, depths: Span, lowest: Ints) -> tuple[Span, Span] | None:
        """The parts of `queries` and of their ancestors at `depths` that see each other."""
        low = lowest[slice(*queries)]
        seeing = np.flatnonzero(low < depths[1])
        if not len(seeing):
            return None
        first, last = int(seeing[0]), int(seeing[-1]) + 1
        key_first = max(depths[0], int(low[first:last].min()))
        return (queries[0] + first, queries[0] + last), (key_first, depths[1])

    def _mask(
        self,
        queries: Span,
        keys: Span,
        on_path: bool,
        lowest: Ints,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Mask | None:
        low = lowest[slice(*queries)]
        depths = np.arange(*keys) if on_path else self._depth[slice(*keys)]
        if low.max() <= depths[0]:
            return None
        allowed = torch.from_numpy(depths >= low[:, None])
        return Mask.from_allowed(allowed[None, None], dtype, device)
