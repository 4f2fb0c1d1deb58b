"""Masks in the forms that kernels need."""

from __future__ import annotations

import torch

from study.inference.attention.masks import BIAS_ALIGNMENT, Mask

ALLOWED = torch.tensor([[True, False, True], [False, False, False]])[None, None]
CPU = torch.device("cpu")


def test_the_bias_excludes_what_is_not_allowed_and_is_built_once() -> None:
    mask = Mask.from_allowed(ALLOWED, torch.bfloat16, CPU)
    lowest = torch.finfo(torch.bfloat16).min
    assert mask.bias()[0, 0].tolist() == [[0, lowest, 0], [lowest] * 3]
    assert mask.bias() is mask.bias()
    assert mask.bias().stride() == (2 * BIAS_ALIGNMENT, 2 * BIAS_ALIGNMENT, BIAS_ALIGNMENT, 1)
    assert mask.empty_rows is not None
    assert mask.empty_rows.tolist() == [[[False, True]]]
    assert Mask.from_allowed(ALLOWED[:, :, :1], torch.float32, CPU).empty_rows is None


def test_the_mask_of_repeated_queries_is_built_once() -> None:
    mask = Mask.from_allowed(ALLOWED, torch.float32, CPU)
    twice = mask.repeated(2)
    assert torch.equal(twice.allowed[0, 0], ALLOWED[0, 0].repeat(2, 1))
    assert twice.empty_rows is not None
    assert twice.empty_rows.tolist() == [[[False, True, False, True]]]
    assert mask.repeated(2) is twice
    assert mask.repeated(1) is mask
