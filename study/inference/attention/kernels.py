"""Attention with its normaliser: softmax(q k' * scale) v, and the logarithm of the sum of exps.

In: queries, keys, values. Out: the output and, in float32, the log-sum-exp of each query, with
which outputs over several sets of keys are merged into that over all of them (Milakov & Gimelshein
2018; Dao et al. 2022, section 3.1). PyTorch's fused kernels return it too, one per kind of device;
`plain_attention` is the same in plain operations, for what they don't do (soft caps, other
devices).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_SCORES = 2**26
"Entries of the score matrix that `plain_attention` holds at once."


@dataclass(frozen=True)
class Logits:
    """How scores come from products of queries and keys."""

    scale: float
    softcap: float | None = None
    "c in c * tanh(score / c)."


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    logits: Logits,
    *,
    allowed: Tensor | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """Output [B, H, T, D] and log-sum-exp [B, H, T] of `q` [B, H, T, D] over `k`, `v` [B, G, S, D].

    H is a multiple of G (grouped queries). `allowed` [B or 1, 1, T, S] is boolean; a query that may
    see nothing gives output 0 and -inf. `causal` is for T = S, and not together with `allowed`.
    """
    heads, groups = q.shape[1], k.shape[1]
    if heads != groups and causal:
        k, v = (x.repeat_interleave(heads // groups, dim=1) for x in (k, v))
    elif heads != groups:  # a group's heads are so many more queries of one head
        folded = q.reshape(q.shape[0], groups, -1, q.shape[3])
        if allowed is not None and q.shape[2] > 1:
            allowed = allowed.repeat(1, 1, heads // groups, 1)
        out, lse = attention(folded, k, v, logits, allowed=allowed)
        return out.reshape(*q.shape[:3], -1), lse.reshape(q.shape[:3])
    if logits.softcap is not None or not _is_fused(q, v):
        return plain_attention(q, k, v, logits, allowed=allowed, causal=causal)
    fused = _on_cuda if q.is_cuda else _on_cpu
    out, lse = fused(q, k, v, logits.scale, _bias(q, allowed), causal)
    if allowed is not None:
        blind = ~allowed.any(-1)
        out = out.masked_fill(blind.unsqueeze(-1), 0)
        lse = lse.masked_fill(blind, -torch.inf)
    return out, lse


def _is_fused(q: Tensor, v: Tensor) -> bool:
    if q.shape[-1] != v.shape[-1]:
        return False
    if q.is_cuda:
        return q.dtype != torch.float64 and q.shape[-1] % 8 == 0 and q.shape[-1] <= 256
    return q.device.type == "cpu"


def _bias(q: Tensor, allowed: Tensor | None) -> Tensor | None:
    """The mask to add. CUDA's kernel wants rows that begin at multiples of 16 bytes."""
    if allowed is None:
        return None
    length = allowed.shape[-1]
    shape = (*allowed.shape[:-1], -(-length // 8) * 8)
    bias = torch.zeros(shape, dtype=q.dtype, device=q.device)[..., :length]
    # Not -inf: a row of nothing else would be not-a-number.
    return bias.masked_fill_(~allowed, torch.finfo(q.dtype).min)


def _on_cpu(
    q: Tensor, k: Tensor, v: Tensor, scale: float, bias: Tensor | None, causal: bool
) -> tuple[Tensor, Tensor]:
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, causal, attn_mask=bias, scale=scale
    )
    return out, lse.float()


def _on_cuda(
    q: Tensor, k: Tensor, v: Tensor, scale: float, bias: Tensor | None, causal: bool
) -> tuple[Tensor, Tensor]:
    if bias is None and q.dtype != torch.float32:
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention(
            q, k, v, 0.0, causal, False, scale=scale
        )[:2]
    else:
        if bias is not None:
            bias = bias.expand(*q.shape[:3], k.shape[2])
        out, lse = torch.ops.aten._scaled_dot_product_efficient_attention(
            q, k, v, bias, True, 0.0, causal, scale=scale
        )[:2]
    return out, lse[..., : q.shape[2]].float()


def plain_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    logits: Logits,
    *,
    allowed: Tensor | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `attention`, for equal numbers of heads, in plain operations and float32."""
    if causal:
        n = q.shape[2]
        allowed = torch.ones(n, n, dtype=torch.bool, device=q.device).tril()[None, None]
    step = max(1, LARGEST_SCORES // (q.shape[0] * q.shape[1] * k.shape[2]))
    outs, lses = [], []
    for at in range(0, q.shape[2], step):
        scores = (q[:, :, at : at + step] @ k.transpose(-1, -2)).float() * logits.scale
        if logits.softcap is not None:
            scores = torch.tanh(scores / logits.softcap) * logits.softcap
        if allowed is not None:
            scores = scores.masked_fill(~allowed[:, :, at : at + step], -torch.inf)
        most = scores.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).min)
        weights = torch.exp(scores - most)
        total = weights.sum(-1, keepdim=True)
        outs.append((weights / total.clamp_min(1e-30)).to(v.dtype) @ v)
        lses.append((most + torch.log(total)).squeeze(-1))
    return torch.cat(outs, 2), torch.cat(lses, 2)


def merge(out: Tensor, lse: Tensor, more: Tensor, more_lse: Tensor) -> None:
    """Takes further keys' `more` into `out` in place; shapes [..., D] and [...], `lse` finite."""
    weight = torch.sigmoid(more_lse - lse).unsqueeze(-1)
    out.lerp_(more.to(out.dtype), weight.to(out.dtype))
    torch.logaddexp(lse, more_lse, out=lse)
