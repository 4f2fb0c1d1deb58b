"""Decoding steps attend to the prefix and to each row's own tokens, and to nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.masking_utils import sliding_window_causal_mask_function

from study.inference.attention.hook import AttentionInputs, PositionRule
from study.inference.attention.kernels import ScoreTransform
from study.inference.attention.path_cache import PathCache
from study.inference.generation.row_caches import RowCaches

HEADS, DIM = 2, 8
PREFIX, TAILS = 5, (1, 3)
"Length of the prefix, and of the tail of each row."


@pytest.mark.parametrize("window", [None, 4])
def test_two_steps(window: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    prefix = torch.randn(2, 1, HEADS, PREFIX, DIM, generator=generator)
    computed = torch.randn(2, 1, HEADS, sum(TAILS), DIM, generator=generator)
    nodes = [np.array([3]), np.array([0, 1, 2])]
    caches = RowCaches.from_nodes(
        PathCache(PREFIX, {"layer": (prefix[0], prefix[1])}),
        {"layer": (computed[0], computed[1])},
        nodes,
        max_new_tokens=2,
    )
    rows = [[torch.cat([prefix[i], computed[i][:, :, row]], 2) for i in (0, 1)] for row in nodes]
    rule = None if window is None else PositionRule(sliding_window_causal_mask_function(window))
    assert caches.positions().tolist() == [PREFIX + length for length in TAILS]
    for _ in range(2):
        q, k, v = torch.randn(3, 1, HEADS, len(TAILS), DIM, generator=generator)
        out = caches(AttentionInputs("layer", q, k, v, ScoreTransform(0.3), rule))
        caches.advance()
        for row, (keys, values) in enumerate(rows):
            keys = torch.cat([keys, k[:, :, row : row + 1]], 2)
            values = torch.cat([values, v[:, :, row : row + 1]], 2)
            rows[row] = [keys, values]
            visible = slice(None if window is None else -window, None)
            scores = (q[0, :, row, None] * keys[0, :, visible]).sum(-1) * 0.3
            expected = (scores.softmax(-1).unsqueeze(-1) * values[0, :, visible]).sum(1)
            torch.testing.assert_close(out[row], expected, atol=1e-5, rtol=1e-5)


def test_select_removes_rows() -> None:
    computed = torch.randn(2, 1, HEADS, sum(TAILS), DIM)
    caches = RowCaches.from_nodes(
        PathCache(), {"layer": (computed[0], computed[1])}, [np.array([0]), np.array([1, 2, 3])], 1
    )
    assert (len(caches), caches.positions().tolist()) == (2, [1, 3])
    caches.select(np.array([1]))
    assert (len(caches), caches.positions().tolist()) == (1, [3])
