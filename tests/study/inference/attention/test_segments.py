"""Attention of segments is that of each alone, however they lie among the nodes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from study.inference.attention.kernels import ScoreTransform, attention
from study.inference.attention.segments import Segments, Span
from study.inference.attention.windows import WindowBand

TRANSFORM = ScoreTransform(0.3)
NODES, HEADS, DIM = 60, 4, 16
DEVICES = [
    ("cpu", torch.float32, 1e-5),
    pytest.param("cuda", torch.float32, 1e-4, marks=pytest.mark.gpu),
    pytest.param("cuda", torch.bfloat16, 2e-2, marks=pytest.mark.gpu),
    pytest.param("cuda", torch.float16, 3e-3, marks=pytest.mark.gpu),
]
CONTIGUOUS: list[Span] = [(0, 25), (25, 26), (26, 40)]
SCATTERED: list[Span] = [(3, 20), (22, 23), (30, 60)]


def random_qkv(groups: int, dim: int = DIM) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(0)
    heads = (HEADS, groups, groups)
    return tuple(torch.randn(NODES, number, dim, generator=generator) for number in heads)


def alone(q: Any, k: Any, v: Any, queries: Span, keys: Span, **options: Any) -> tuple[Any, Any]:
    parts = (x[slice(*span)] for x, span in ((q, queries), (k, keys), (v, keys)))
    out, lse = attention(*(x.transpose(0, 1)[None] for x in parts), TRANSFORM, **options)
    return out[0].transpose(0, 1), lse[0].transpose(0, 1)


@pytest.mark.parametrize(("device", "dtype", "tolerance"), DEVICES)
@pytest.mark.parametrize("spans", [CONTIGUOUS, SCATTERED], ids=["contiguous", "scattered"])
@pytest.mark.parametrize("groups", [4, 2, 1])
def test_causal_segments(
    spans: list[Span], groups: int, device: str, dtype: torch.dtype, tolerance: float
) -> None:
    q, k, v = random_qkv(groups)
    segments = Segments.from_spans(spans, spans, torch.device(device), causal=True)
    result = segments.attention(*(x.to(device, dtype) for x in (q, k, v)), TRANSFORM)
    out, lse = torch.zeros(NODES, HEADS, DIM), torch.zeros(NODES, HEADS)
    out, lse = out.to(device), lse.to(device)
    segments.write(result, out, lse)
    for span in spans:
        expected = alone(q, k, v, span, span, causal=True)
        actual = out[slice(*span)].cpu(), lse[slice(*span)].cpu()
        torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)
    assert out.cpu().any(-1).any(-1).sum() == sum(b - a for a, b in spans)


@pytest.mark.parametrize(("device", "dtype", "tolerance"), DEVICES)
@pytest.mark.parametrize("groups", [4, 2])
def test_segments_over_other_keys_are_merged(
    groups: int, device: str, dtype: torch.dtype, tolerance: float
) -> None:
    q, k, v = random_qkv(groups)
    queries: list[Span] = [(10, 15), (30, 31)]
    keys: list[Span] = [(4, 10), (20, 29)]
    on_device = [x.to(device, dtype) for x in (q, k, v)]
    own = Segments.from_spans([(0, NODES)], [(0, NODES)], torch.device(device), causal=True)
    out = torch.zeros(NODES, HEADS, DIM, device=device)
    lse = torch.zeros(NODES, HEADS, device=device)
    # Every node attends to all nodes before it, and then to some again.
    own.write(own.attention(*on_device, TRANSFORM), out, lse)
    unchanged = out.clone()
    segments = Segments.from_spans(queries, keys, torch.device(device))
    segments.merge(segments.attention(*on_device, TRANSFORM), out, lse)
    for query_span, (first, last) in zip(queries, keys, strict=True):
        for node in range(*query_span):
            nodes = [*range(node + 1), *range(first, last)]
            expected, normaliser = alone(q, k[nodes], v[nodes], (node, node + 1), (0, len(nodes)))
            torch.testing.assert_close(
                (out[node].cpu(), lse[node].cpu()),
                (expected[0], normaliser[0]),
                atol=tolerance,
                rtol=tolerance,
            )
    assert torch.equal(out[:10], unchanged[:10])
    assert torch.equal(out[31:], unchanged[31:])


@pytest.mark.parametrize(("device", "dtype", "tolerance"), DEVICES)
def test_windows_of_segments(device: str, dtype: torch.dtype, tolerance: float) -> None:
    q, k, v = random_qkv(2)
    segments = Segments.from_spans(
        SCATTERED, SCATTERED, torch.device(device), causal=True, window=WindowBand(5)
    )
    result = segments.attention(*(x.to(device, dtype) for x in (q, k, v)), TRANSFORM)
    row = 0
    for first, last in SCATTERED:
        for node in range(first, last):
            visible = max(first, node - 4), node + 1
            expected = alone(q, k, v, (node, node + 1), visible)
            actual = result[0][row : row + 1].float().cpu(), result[1][row : row + 1].cpu()
            torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)
            row += 1
    assert row == len(result[0])
