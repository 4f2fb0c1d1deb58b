"""What position rules let tokens see, and attention within windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.masking_utils import (
    causal_mask_function,
    chunked_causal_mask_function,
    sliding_window_causal_mask_function,
)

from study.inference.attention.hook import PositionRule, UnsupportedModelError
from study.inference.attention.kernels import ScoreTransform, attention
from study.inference.attention.masks import Mask
from study.inference.attention.windows import (
    BLOCK,
    WindowBand,
    first_visible,
    window_attention,
    window_width,
)

DEPTH = np.array([7, 9, 0, 1, 2, 3, 4, 5, 6, 9, 40])
NO_PADDING = torch.zeros(1, dtype=torch.long)


def test_the_first_visible_position_of_windows_and_chunks() -> None:
    window = first_visible(PositionRule(sliding_window_causal_mask_function(4)), DEPTH)
    assert window.tolist() == np.maximum(0, DEPTH - 3).tolist()
    assert window_width(DEPTH, window) == 4
    chunks = first_visible(PositionRule(chunked_causal_mask_function(4, NO_PADDING)), DEPTH)
    assert chunks.tolist() == (DEPTH // 4 * 4).tolist()
    assert window_width(DEPTH, chunks) is None
    everything = first_visible(PositionRule(causal_mask_function), DEPTH)
    assert not everything.any()
    # Wide enough for all of them.
    assert window_width(DEPTH, everything) == 41


def test_a_rule_with_gaps_is_refused() -> None:
    def dilated(batch: object, head: object, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return (k <= q) & ((q - k) % 2 == 0)

    with pytest.raises(UnsupportedModelError, match="gaps"):
        first_visible(PositionRule(dilated), np.arange(40))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("width", [1, 50, 200])
@pytest.mark.parametrize("length", [30, 50, 51, 200 + 2 * BLOCK, 200 + 2 * BLOCK + 7])
@pytest.mark.parametrize(("groups", "softcap"), [(4, None), (2, None), (2, 5.0)])
def test_attention_to_a_window_is_that_under_its_mask(
    length: int, width: int, groups: int, softcap: float | None, device: str
) -> None:
    generator = torch.Generator().manual_seed(0)
    # As transformers passes them: the heads of a token lie next to each other.
    q, k, v = (
        torch.randn(1, length, heads, 8, generator=generator).transpose(1, 2).to(device)
        for heads in (4, groups, groups)
    )
    distance = torch.arange(length).unsqueeze(1) - torch.arange(length)
    allowed = (distance >= 0) & (distance < width)
    mask = Mask.from_allowed(allowed[None, None], q.dtype, q.device)
    transform = ScoreTransform(0.3, softcap)
    expected = attention(q, k, v, transform, mask=mask)
    actual = window_attention(q, k, v, transform, WindowBand(width))
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
