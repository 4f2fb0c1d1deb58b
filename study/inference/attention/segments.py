"""Attention of many ranges of queries, each over its own range of keys, in one call.

In: ranges of nodes. Out: `Segments`: where the ranges lie, on the host and on the device, and the
attention over them. On a GPU, flash attention takes all segments at once (Dao 2023, variable
lengths); elsewhere they are computed one after the other, behind the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.kernels import ScoreTransform, attention, is_flash, merge_attention
from study.inference.attention.windows import WindowBand, window_attention
from study.inference.memory import moved_to

Span = tuple[int, int]
"First node and end (exclusive)."
Rows = slice | Tensor
"Nodes, as indices of the first dimension."


@dataclass(frozen=True, eq=False)
class Segments:
    """Disjoint ranges of queries in ascending order, and the range of keys of each."""

    queries: Rows
    keys: Rows
    query_bounds: tuple[int, ...]
    "Where each segment begins among all queries, and their number."
    key_bounds: tuple[int, ...]
    device_bounds: tuple[Tensor, Tensor]
    "The bounds of queries and keys as int32 on the device."
    causal: bool
    "Whether query t of a segment attends to its keys 0 to t only, instead of to all."
    window: WindowBand | None
    "If causal: the band of keys before each query, itself included; None for all."

    @classmethod
    def from_spans(
        cls,
        queries: Sequence[Span],
        keys: Sequence[Span],
        device: torch.device,
        *,
        causal: bool = False,
        window: WindowBand | None = None,
    ) -> Segments:
        """Segment i: the nodes `queries[i]` attend to the nodes `keys[i]`."""
        query_bounds, key_bounds = (
            np.cumsum([0, *(b - a for a, b in spans)], dtype=np.int32) for spans in (queries, keys)
        )
        return cls(
            _rows(queries, device),
            _rows(keys, device),
            tuple(query_bounds.tolist()),
            tuple(key_bounds.tolist()),
            (moved_to(device, query_bounds), moved_to(device, key_bounds)),
            causal,
            window,
        )

    def attention(
        self, q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform
    ) -> tuple[Tensor, Tensor]:
        """Output and log-sum-exp of the queries, in their order: [T, H, D] and [T, H].

        `q` [nodes, H, D], `k` and `v` [nodes, G, D] are those of all nodes.
        """
        q, k, v = _take(q, self.queries), _take(k, self.keys), _take(v, self.keys)
        method = self._at_once if is_flash(q, v, transform) else self._one_by_one
        return method(q, k, v, transform)

    def _at_once(
        self, q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform
    ) -> tuple[Tensor, Tensor]:
        query_lengths, key_lengths = (
            max(b - a for a, b in pairwise(bounds))
            for bounds in (self.query_bounds, self.key_bounds)
        )
        window = {}
        if self.window is not None:
            window = {"window_size_left": self.window.width - 1, "window_size_right": 0}
        out, lse = torch.ops.aten._flash_attention_forward(
            q,
            k,
            v,
            *self.device_bounds,
            # An upper limit. With 1 the kernel would exchange heads and queries.
            max(2, query_lengths),
            key_lengths,
            0.0,
            self.causal,
            False,
            scale=transform.scale,
            **window,
        )[:2]
        return out, lse.transpose(0, 1)

    def _one_by_one(
        self, q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform
    ) -> tuple[Tensor, Tensor]:
        out = q.new_empty(*q.shape[:2], v.shape[2])
        lse = torch.empty(q.shape[:2], dtype=torch.float32, device=q.device)
        for (a, b), (c, d) in zip(
            pairwise(self.query_bounds), pairwise(self.key_bounds), strict=True
        ):
            part_q, part_k, part_v = (
                x.transpose(0, 1).unsqueeze(0) for x in (q[a:b], k[c:d], v[c:d])
            )
            if self.window is None:
                result = attention(part_q, part_k, part_v, transform, causal=self.causal)
            else:
                result = window_attention(part_q, part_k, part_v, transform, self.window)
            out[a:b], lse[a:b] = (x[0].transpose(0, 1) for x in result)
        return out, lse

    def write(self, result: tuple[Tensor, Tensor], out: Tensor, lse: Tensor) -> None:
        """Write the result of `attention` to the queries in `out` and `lse` of all nodes."""
        out[self.queries], lse[self.queries] = result[0].to(out.dtype), result[1]

    def merge(self, result: tuple[Tensor, Tensor], out: Tensor, lse: Tensor) -> None:
        """Merge the result of `attention`, over further keys, into `out` and `lse` in place."""
        part_out, part_lse = out[self.queries], lse[self.queries]
        merge_attention(part_out, part_lse, *result)
        if isinstance(self.queries, Tensor):  # else they are views
            out[self.queries], lse[self.queries] = part_out, part_lse


def _rows(spans: Sequence[Span], device: torch.device) -> Rows:
    """The nodes of all spans."""
    if all(stop == start for (_, stop), (start, _) in pairwise(spans)):
        return slice(spans[0][0], spans[-1][1])
    nodes = np.concatenate([np.arange(*span) for span in spans])
    return moved_to(device, nodes)


def _take(x: Tensor, rows: Rows) -> Tensor:
    return x[rows] if isinstance(rows, slice) else x.index_select(0, rows)
