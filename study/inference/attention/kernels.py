"""Attention with its normaliser: softmax(q k' * scale) v, and the log-sum-exp of its scores.

In: queries, keys, values. Out: the output and, in float32, the log-sum-exp of each query's scores.
With these, outputs over disjoint sets of keys are merged into the output over their union
(Milakov & Gimelshein 2018; Dao et al. 2022, section 3.1). PyTorch's fused kernels return the
log-sum-exp too; there is one for each kind of device. `plain_attention` computes the same with
ordinary tensor operations, for cases that the fused kernels do not cover (soft caps, other
devices).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.inference.attention.masks import Mask

MAX_SCORE_ENTRIES = 2**26
"Entries of the score matrix that `plain_attention` holds at a time."


@dataclass(frozen=True)
class ScoreTransform:
    """How attention scores follow from the products of queries and keys."""

    scale: float
    softcap: float | None = None
    "Scores become c * tanh(score / c), as in Gemma 2; None for no cap."


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    transform: ScoreTransform,
    *,
    mask: Mask | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """Attention of queries over keys and values.

    Parameters
    ----------
    q : [B, H, T, D]
    k, v : [B, G, S, D]
        H is a multiple of G (grouped-query attention).
    transform
        Scale and soft cap of the scores.
    mask
        The keys that each query may attend to. A query that may attend to none gets output 0 and
        log-sum-exp -inf.
    causal
        Query t attends to keys 0 to t. Requires T = S; excludes `mask`.

    Returns
    -------
    output : [B, H, T, D]
    log-sum-exp : [B, H, T], float32
    """
    if q.shape[1] != k.shape[1] and (mask is not None or not is_flash(q, v, transform)):
        return _grouped_attention(q, k, v, transform, mask, causal)
    if transform.softcap is not None or not _has_fused_kernel(q, v):
        return plain_attention(q, k, v, transform, mask=mask, causal=causal)
    kernel = _cuda_kernel if q.is_cuda else _cpu_kernel
    out, lse = kernel(q, k, v, transform, None if mask is None else mask.bias(), causal)
    if mask is not None and mask.empty_rows is not None:
        out = out.masked_fill(mask.empty_rows.unsqueeze(-1), 0)
        lse = lse.masked_fill(mask.empty_rows, -torch.inf)
    return out, lse


def is_flash(q: Tensor, v: Tensor, transform: ScoreTransform) -> bool:
    """Whether CUDA's flash attention computes this, which takes fewer key heads by itself."""
    is_half = q.dtype in (torch.float16, torch.bfloat16)
    return q.is_cuda and is_half and transform.softcap is None and _has_fused_kernel(q, v)


def _has_fused_kernel(q: Tensor, v: Tensor) -> bool:
    if q.shape[-1] != v.shape[-1]:
        return False
    if q.is_cuda:
        return q.dtype != torch.float64 and q.shape[-1] % 8 == 0 and q.shape[-1] <= 256
    return q.device.type == "cpu"


def _grouped_attention(
    q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform, mask: Mask | None, causal: bool
) -> tuple[Tensor, Tensor]:
    """`attention` with fewer key heads, by kernels that need as many: without copies of keys."""
    batch, heads, length, dim = q.shape
    groups, repeats = k.shape[1], heads // k.shape[1]
    if causal:  # each group is an entry of the batch, in which all heads have the same keys
        folded = q.reshape(batch * groups, repeats, length, dim)
        k, v = (x.reshape(-1, 1, *x.shape[2:]).expand(-1, repeats, -1, -1) for x in (k, v))
    else:  # the heads of a group are further queries of one head
        folded = q.reshape(batch, groups, repeats * length, dim)
        mask = None if mask is None else mask.repeated(repeats)
    out, lse = attention(folded, k, v, transform, mask=mask, causal=causal)
    return out.reshape(batch, heads, length, -1), lse.reshape(batch, heads, length)


def _cpu_kernel(
    q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform, bias: Tensor | None, causal: bool
) -> tuple[Tensor, Tensor]:
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, causal, attn_mask=bias, scale=transform.scale
    )
    return out, lse.float()


def _cuda_kernel(
    q: Tensor, k: Tensor, v: Tensor, transform: ScoreTransform, bias: Tensor | None, causal: bool
) -> tuple[Tensor, Tensor]:
    if bias is None and is_flash(q, v, transform):
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention(
            q, k, v, 0.0, causal, False, scale=transform.scale
        )[:2]
    else:
        if bias is not None:
            bias = bias.expand(*q.shape[:3], k.shape[2])
        out, lse = torch.ops.aten._scaled_dot_product_efficient_attention(
            q, k, v, bias, True, 0.0, causal, scale=transform.scale
        )[:2]
    return out, lse[..., : q.shape[2]].float()


def plain_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    transform: ScoreTransform,
    *,
    mask: Mask | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """The same as `attention`, in ordinary operations; as many key heads as query heads (G = H)."""
    allowed = None if mask is None else mask.allowed
    if causal:
        length = q.shape[2]
        allowed = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()[None, None]
    step = max(1, MAX_SCORE_ENTRIES // (q.shape[0] * q.shape[1] * k.shape[2]))
    outputs, normalisers = [], []
    for start in range(0, q.shape[2], step):
        products = q[:, :, start : start + step] @ k.transpose(-1, -2)
        scores = products.float() * transform.scale
        if transform.softcap is not None:
            scores = torch.tanh(scores / transform.softcap) * transform.softcap
        if allowed is not None:
            scores = scores.masked_fill(~allowed[:, :, start : start + step], -torch.inf)
        maximum = scores.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).min)
        weights = torch.exp(scores - maximum)
        total = weights.sum(-1, keepdim=True)
        outputs.append((weights / total.clamp_min(1e-30)).to(v.dtype) @ v)
        normalisers.append((maximum + torch.log(total)).squeeze(-1))
    return torch.cat(outputs, 2), torch.cat(normalisers, 2)


def merge_attention(out: Tensor, lse: Tensor, other: Tensor, other_lse: Tensor) -> None:
    """Merge attention over further keys into `out` [..., D] and `lse` [...], in place.

    `other` and `other_lse` are the output and the log-sum-exp over keys that are disjoint from
    those of `out`; `lse` must be finite.
    """
    weight = torch.sigmoid(other_lse - lse).unsqueeze(-1)
    out.lerp_(other.to(out.dtype), weight.to(out.dtype))
    torch.logaddexp(lse, other_lse, out=lse)


def apply_sinks(out: Tensor, lse: Tensor, sinks: Tensor | None) -> None:
    """Add attention sinks to the softmax of `out` [..., heads, D] and `lse` [..., heads], in place.

    A sink is one more score of its head without a value, as in gpt-oss: it takes its share of the
    weight. It is added once, after all keys are merged. Without sinks nothing changes.
    """
    if sinks is not None:
        out.mul_(torch.sigmoid(lse - sinks.float()).unsqueeze(-1))
