"""Attention of packed batches is that of every sequence alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.masking_utils import (
    chunked_causal_mask_function,
    sliding_window_causal_mask_function,
)

from study.inference.attention.hook import AttentionInputs, PositionRule
from study.inference.attention.kernels import ScoreTransform
from study.inference.attention.path_cache import PathCache
from study.inference.attention.prefill import PrefillAttention
from study.inference.prefix_tree import build_prefix_tree
from study.inference.prefix_tree.packed_batches import BatchCutter, Budget

HEADS, KEY_HEADS, DIM = 4, 2, 8
SEQUENCES = [
    [*range(20), *tail] for tail in ([1, 2, 3], [1, 2, 4], [9] * 10, [9] * 8 + [5, 6], [7])
] + [[30, 31]]
WINDOW = PositionRule(sliding_window_causal_mask_function(6))
CHUNKS = PositionRule(chunked_causal_mask_function(6, torch.zeros(1, dtype=torch.long)))


def expected_output(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, ancestors: list[int], node: int
) -> torch.Tensor:
    k, v = (x[0, :, ancestors].repeat_interleave(HEADS // KEY_HEADS, 0) for x in (k, v))
    scores = (q[0, :, node, None] * k).sum(-1) * 0.3
    return (scores.softmax(-1).unsqueeze(-1) * v).sum(1)


def is_visible(rule: PositionRule | None, query: int, key: int) -> bool:
    """Whether the position `query` sees `key` before it, computed without the rule itself."""
    if rule is None:
        return True
    return query - key < 6 if rule is WINDOW else query // 6 == key // 6


@pytest.mark.parametrize("rule", [None, WINDOW, CHUNKS], ids=["full", "window", "chunks"])
@pytest.mark.parametrize("budget", [3, 17, 1000])
@pytest.mark.parametrize("block_size", [1, 6, 100])
def test_every_node_attends_to_its_ancestors(
    rule: PositionRule | None, budget: int, block_size: int
) -> None:
    tree = build_prefix_tree(SEQUENCES, block_size=block_size)
    count = len(tree.tokens)
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, HEADS, count, DIM, generator=generator)
    k, v = torch.randn(2, 1, KEY_HEADS, count, DIM, generator=generator)
    cutter = BatchCutter(tree, np.zeros(count, dtype=np.bool_))
    start, path = 0, PathCache()
    while start < count:
        batch = cutter.next_batch(start, Budget(budget, count))
        span = slice(batch.start, batch.stop)
        prefill = PrefillAttention(batch, path, tree.depth[span], tree.reach[span])
        qkv = q[:, :, span], k[:, :, span], v[:, :, span]
        out = prefill(AttentionInputs("layer", *qkv, ScoreTransform(0.3), rule))
        for node in range(batch.start, batch.stop):
            ancestors = [
                j
                for j in range(node + 1)
                if node < tree.reach[j] and is_visible(rule, tree.depth[node], tree.depth[j])
            ]
            expected = expected_output(q, k, v, ancestors, node)
            torch.testing.assert_close(out[node - start], expected, atol=1e-5, rtol=1e-5)
        start, path = batch.stop, prefill.next_path()
