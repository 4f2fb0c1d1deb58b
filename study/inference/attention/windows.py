"""Sliding windows and chunks: which positions a token sees, and attention that reads no others.

In: a position rule of transformers. Out: the first position that is visible from each; for a
sliding window, attention over the keys in the window only. The queries after the first window are
divided into blocks. The keys of a block are a band of the width of the window and the block; bands
of successive blocks are overlapping views, attended to side by side under one small mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.hook import PositionRule, UnsupportedModelError
from study.inference.attention.kernels import ScoreTransform, attention
from study.inference.attention.masks import Mask
from study.inference.prefix_tree import Ints

CHECKED_QUERIES = 16
"Positions from which the visibility of all others is checked."
BLOCK = 128
"Queries in a block."


def first_visible(rule: PositionRule, depth: Ints) -> Ints:
    """The first visible position from each position in `depth`.

    UnsupportedModelError if a token does not see every position from there to itself, as it does
    under every rule of transformers' causal models; this is checked on a sample.
    """
    positions, index = np.unique(depth, return_inverse=True)
    queries = torch.from_numpy(positions)
    # Binary search, for all positions at once.
    low, high = torch.zeros_like(queries), queries
    while bool((low < high).any()):
        middle = (low + high) // 2
        is_visible = rule.allows(queries, middle)
        low, high = torch.where(is_visible, low, middle + 1), torch.where(is_visible, middle, high)
    sample = np.unique(np.linspace(0, len(positions) - 1, CHECKED_QUERIES).astype(np.int64))
    q, keys = queries[sample].unsqueeze(1), torch.arange(int(positions[-1]) + 1)
    expected = (keys >= low[sample].unsqueeze(1)) & (keys <= q)
    if not torch.equal(rule.allows(q, keys) & (keys <= q), expected):
        raise UnsupportedModelError("a token may attend to positions with gaps between them")
    lowest: Ints = low.numpy()[index]
    return lowest


def window_width(depth: Ints, lowest: Ints) -> int | None:
    """The width of the sliding window in which `lowest` is visible from `depth`, if it is one."""
    width = int((depth - lowest).max()) + 1
    return width if np.array_equal(lowest, np.maximum(0, depth - width + 1)) else None


@dataclass(frozen=True, eq=False)
class WindowBand:
    """A sliding window, and the masks of its bands on each device."""

    width: int
    "Number of keys that a query attends to, itself included."
    _masks: dict[tuple[int, torch.dtype, torch.device], Mask] = field(default_factory=dict)

    def mask(self, queries: int, like: Tensor) -> Mask:
        """The mask of a block of so many queries over the band of keys that ends with it."""
        key = (queries, like.dtype, like.device)
        if key not in self._masks:
            distance = torch.arange(queries + self.width - 1) - torch.arange(queries).unsqueeze(1)
            allowed = (distance >= 0) & (distance < self.width)
            self._masks[key] = Mask.from_allowed(allowed[None, None], like.dtype, like.device)
        return self._masks[key]


def window_attention(
    q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform, window: WindowBand
) -> tuple[Tensor, Tensor]:
    """Attention of every position to the last positions up to itself.

    q [1, H, T, D], k and v [1, G, T, D]; output [1, H, T, D] and log-sum-exp [1, H, T].
    """
    width, length = window.width, q.shape[2]
    head = min(width, length)
    parts = [attention(q[:, :, :head], k[:, :, :head], v[:, :, :head], transform, causal=True)]
    number, rest = divmod(length - head, BLOCK)
    for first, count, size in ((head, number, BLOCK), (length - rest, min(rest, 1), rest)):
        if count:
            queries = q[0, :, first : first + count * size].unfold(1, size, size)
            keys, values = (
                x[0, :, first - width + 1 : first + count * size]
                .unfold(1, size + width - 1, size)
                .permute(1, 0, 3, 2)
                for x in (k, v)
            )
            mask = window.mask(size, q)
            out, lse = attention(queries.permute(1, 0, 3, 2), keys, values, transform, mask=mask)
            parts.append((_in_a_row(out), _in_a_row(lse)))
    return torch.cat([out for out, _ in parts], 2), torch.cat([lse for _, lse in parts], 2)


def _in_a_row(blocks: Tensor) -> Tensor:
    """Blocks [number, H, size, ...] as one sequence [1, H, number * size, ...]."""
    return blocks.transpose(0, 1).flatten(1, 2).unsqueeze(0)
