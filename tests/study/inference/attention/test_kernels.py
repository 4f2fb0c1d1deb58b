"""Fused attention is the softmax formula, and outputs over parts of the keys merge into one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from study.inference.attention.kernels import (
    ScoreTransform,
    apply_sinks,
    attention,
    merge_attention,
    plain_attention,
)
from study.inference.attention.masks import Mask

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def random_qkv(
    device: str, *, groups: int = 4, queries: int = 9, keys: int = 13
) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, queries, 8, generator=generator)
    k, v = torch.randn(2, 2, groups, keys, 8, generator=generator)
    return q.to(device), k.to(device), v.to(device)


def reference(q: Any, k: Any, v: Any, scale: float, allowed: Any = None) -> tuple[Any, Any]:
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * scale
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("mask", ["none", "per batch entry", "shared", "causal"])
def test_attention_is_softmax(device: str, groups: int, mask: str) -> None:
    q, k, v = random_qkv(device, groups=groups, keys=9 if mask == "causal" else 13)
    allowed: Any = None
    if mask != "none":
        number = 1 if mask == "shared" else 2
        generator = torch.Generator().manual_seed(1)
        allowed = torch.rand(number, 1, 9, k.shape[2], generator=generator) < 0.5
        allowed[..., 0] = True
        if mask == "causal":
            allowed = torch.ones(1, 1, 9, 9, dtype=torch.bool).tril()
    options: dict[str, Any] = {"causal": True} if mask == "causal" else {}
    if mask in ("per batch entry", "shared"):
        options["mask"] = Mask.from_allowed(allowed, q.dtype, q.device)
    expected = reference(q, k, v, 0.3, None if allowed is None else allowed.to(device))
    for out, lse in (
        attention(q, k, v, ScoreTransform(0.3), **options),
        attention(q, k, v, ScoreTransform(0.3, 1e6), **options),
    ):
        torch.testing.assert_close(out, expected[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(lse, expected[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_query_without_keys_gives_zero(device: str) -> None:
    q, k, v = random_qkv(device)
    allowed = torch.ones(1, 1, 9, 13, dtype=torch.bool)
    allowed[:, :, 4] = False
    mask = Mask.from_allowed(allowed, q.dtype, q.device)
    for softcap in (None, 1e6):
        out, lse = attention(q, k, v, ScoreTransform(0.3, softcap), mask=mask)
        assert torch.all(out[:, :, 4] == 0)
        assert torch.all(lse[:, :, 4] == -torch.inf)
        assert torch.isfinite(out).all()


@pytest.mark.parametrize("device", DEVICES)
def test_parts_merge_into_the_whole(device: str) -> None:
    q, k, v = random_qkv(device)
    expected = attention(q, k, v, ScoreTransform(0.3))
    out, lse = attention(q, k[:, :, :5], v[:, :, :5], ScoreTransform(0.3))
    merge_attention(out, lse, *attention(q, k[:, :, 5:], v[:, :, 5:], ScoreTransform(0.3)))
    torch.testing.assert_close((out, lse), expected, atol=1e-5, rtol=1e-5)


def test_soft_cap() -> None:
    q, k, v = random_qkv("cpu")
    scores = torch.tanh(q @ k.transpose(-1, -2) / 2) * 2
    out = plain_attention(q, k, v, ScoreTransform(1.0, 2.0))[0]
    torch.testing.assert_close(out, scores.softmax(-1) @ v, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_sinks_are_one_more_logit(device: str) -> None:
    """The formula of transformers' gpt-oss: a column of the softmax without a value."""
    q, k, v = random_qkv(device)
    sinks = torch.linspace(-2, 6, 4, device=device)
    column = sinks.reshape(1, 4, 1, 1).expand(2, 4, 9, 1)
    weights = torch.cat([q @ k.transpose(-1, -2) * 0.3, column], -1).softmax(-1)
    expected = (weights[..., :-1] @ v).transpose(1, 2)
    # Applied once, after outputs over disjoint keys are merged.
    out, lse = (
        x.transpose(1, 2) for x in attention(q, k[:, :, :5], v[:, :, :5], ScoreTransform(0.3))
    )
    other, other_lse = (
        x.transpose(1, 2) for x in attention(q, k[:, :, 5:], v[:, :, 5:], ScoreTransform(0.3))
    )
    merge_attention(out, lse, other, other_lse)
    unchanged = out.clone()
    apply_sinks(out, lse, None)
    assert torch.equal(out, unchanged)
    apply_sinks(out, lse, sinks)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
