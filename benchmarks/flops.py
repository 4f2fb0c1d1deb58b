"""How far a run is from the machine: the arithmetic that no method could spare, over time.

In: a llama-shaped model's config, requests, a measured time. Out: floating-point operations of the
distinct nodes (weights, attention to every ancestor, projection where a token is scored), and the
rate of plain matrix products of the same widths, measured here and now.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from study.inference.engine import BLOCK
from study.inference.prefix_tree import prefix_tree


def widths(config: Any) -> dict[tuple[int, int], int]:
    """(in, out) of the matrices of one layer, and how many of each."""
    d, i = config.hidden_size, config.intermediate_size
    kv = config.num_key_value_heads * (d // config.num_attention_heads)
    found: dict[tuple[int, int], int] = {}
    for shape in ((d, d), (d, d), (d, kv), (d, kv), (d, i), (d, i), (i, d)):
        found[shape] = found.get(shape, 0) + 1
    return found


def operations(config: Any, encoded: list[tuple[list[int], list[int]]]) -> tuple[float, float]:
    """Of the layers, and of the projection, for requests (context, continuation) in tokens."""
    whole = [context + answer for context, answer in encoded]
    tree = prefix_tree([tokens[:-1] for tokens in whole], block=BLOCK)
    rows = {
        int(node)
        for i, (tokens, (_, answer)) in enumerate(zip(whole, encoded, strict=True))
        for node in tree.path(i, len(tokens) - 1 - len(answer), len(tokens) - 1)
    }
    weights = sum(2 * a * b * n for (a, b), n in widths(config).items())
    attention = 4 * config.hidden_size * float(np.sum(tree.depth + 1))
    layers = config.num_hidden_layers * (len(tree.tokens) * weights + attention)
    return layers, 2.0 * config.vocab_size * config.hidden_size * len(rows)


def fastest(
    config: Any, layers: float, projection: float, tokens: int, rows: int, like: torch.Tensor
) -> float:
    """Seconds that the operations take at the rate of plain products of these widths, with
    `tokens` (in the projection `rows`) at once."""
    of_layer = widths(config)
    ours = sum(2 * tokens * a * b * n for (a, b), n in of_layer.items())
    spent = sum(n * _seconds(tokens, a, b, like) for (a, b), n in of_layer.items())
    d, v = config.hidden_size, config.vocab_size
    return layers * spent / ours + projection * _seconds(rows, d, v, like) / (2 * rows * d * v)


def _seconds(rows: int, a: int, b: int, like: torch.Tensor) -> float:
    x = torch.randn(rows, a).to(like)
    weight = torch.randn(b, a).to(like)
    times = []
    with torch.inference_mode():
        for _ in range(5):
            repeats = max(1, int(2e10 / (2 * rows * a * b)))
            _wait(like)
            start = time.perf_counter()
            for _ in range(repeats):
                F.linear(x, weight)
            _wait(like)
            times.append((time.perf_counter() - start) / repeats)
    return float(np.median(times))


def _wait(like: torch.Tensor) -> None:
    if like.is_cuda:
        torch.cuda.synchronize(like.device)
