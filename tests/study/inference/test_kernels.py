"""Fused attention is softmax written out, and outputs over parts of the keys merge into one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from study.inference.attention.kernels import Logits, attention, merge, plain_attention

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def made(device: str, *, groups: int = 4, queries: int = 9, keys: int = 13) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, queries, 8, generator=generator)
    k, v = torch.randn(2, 2, groups, keys, 8, generator=generator)
    return q.to(device), k.to(device), v.to(device)


def written_out(q: Any, k: Any, v: Any, scale: float, allowed: Any = None) -> tuple[Any, Any]:
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * scale
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("how", ["all", "mask", "mask of rows", "causal"])
def test_attention_is_softmax(device: str, groups: int, how: str) -> None:
    q, k, v = made(device, groups=groups, keys=9 if how == "causal" else 13)
    allowed = None
    if how != "all":
        number = 1 if how == "mask of rows" else 2
        generator = torch.Generator().manual_seed(1)
        allowed = torch.rand(number, 1, 9, k.shape[2], generator=generator) < 0.5
        allowed[..., 0] = True
        if how == "causal":
            allowed = torch.ones(1, 1, 9, 9, dtype=torch.bool).tril()
        allowed = allowed.to(device)
    given = {"causal": True} if how == "causal" else {"allowed": allowed}
    expected = written_out(q, k, v, 0.3, allowed)
    for found in (
        attention(q, k, v, Logits(0.3), **given),  # type: ignore[arg-type]
        attention(q, k, v, Logits(0.3, 1e6), **given),  # type: ignore[arg-type]
    ):
        torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found[1], expected[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_query_that_sees_nothing_adds_nothing(device: str) -> None:
    q, k, v = made(device)
    allowed = torch.ones(1, 1, 9, 13, dtype=torch.bool, device=device)
    allowed[:, :, 4] = False
    for softcap in (None, 1e6):
        out, lse = attention(q, k, v, Logits(0.3, softcap), allowed=allowed)
        assert torch.all(out[:, :, 4] == 0)
        assert torch.all(lse[:, :, 4] == -torch.inf)
        assert torch.isfinite(out).all()


@pytest.mark.parametrize("device", DEVICES)
def test_parts_merge_into_the_whole(device: str) -> None:
    q, k, v = made(device)
    expected = attention(q, k, v, Logits(0.3))
    out, lse = attention(q, k[:, :, :5], v[:, :, :5], Logits(0.3))
    merge(out, lse, *attention(q, k[:, :, 5:], v[:, :, 5:], Logits(0.3)))
    torch.testing.assert_close((out, lse), expected, atol=1e-5, rtol=1e-5)


def test_soft_caps_bend_scores() -> None:
    q, k, v = made("cpu")
    scores = torch.tanh(q @ k.transpose(-1, -2) / 2) * 2
    found = plain_attention(q, k, v, Logits(1.0, 2.0))[0]
    torch.testing.assert_close(found, scores.softmax(-1) @ v, atol=1e-5, rtol=1e-5)
