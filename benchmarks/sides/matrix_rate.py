"""How close a run comes to the speed of the machine: the least arithmetic, over the time taken.

In: a llama-shaped model's config, requests, a measured time. Out: floating-point operations of the
distinct nodes (weights, attention to every ancestor, projection where a token is scored), and the
rate of plain matrix products of the same widths, measured at the same time.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from study.inference.engine import BLOCK_SIZE
from study.inference.prefix_tree import build_prefix_tree


def layer_widths(config: Any) -> dict[tuple[int, int], int]:
    """(inputs, outputs) of the matrices of one layer, and the number of each."""
    d, i = config.hidden_size, config.intermediate_size
    kv = config.num_key_value_heads * (d // config.num_attention_heads)
    counts: dict[tuple[int, int], int] = {}
    for shape in ((d, d), (d, d), (d, kv), (d, kv), (d, i), (d, i), (i, d)):
        counts[shape] = counts.get(shape, 0) + 1
    return counts


def least_operations(
    config: Any, encoded: list[tuple[list[int], list[int]]]
) -> tuple[float, float]:
    """Operations of the layers, and of the projection, for (context, answer) requests."""
    sequences = [context + answer for context, answer in encoded]
    tree = build_prefix_tree([tokens[:-1] for tokens in sequences], block_size=BLOCK_SIZE)
    rows = {
        int(node)
        for i, (tokens, (_, answer)) in enumerate(zip(sequences, encoded, strict=True))
        for node in tree.path(i, len(tokens) - 1 - len(answer), len(tokens) - 1)
    }
    weights = sum(2 * a * b * n for (a, b), n in layer_widths(config).items())
    attention = 4 * config.hidden_size * float(np.sum(tree.depth + 1))
    layers = config.num_hidden_layers * (len(tree.tokens) * weights + attention)
    return layers, 2.0 * config.vocab_size * config.hidden_size * len(rows)


class MatrixProducts:
    """Plain matrix products on one device, and their measured speed."""

    def __init__(self, weight: torch.Tensor, measured_operations: float) -> None:
        """`weight` gives dtype and device; each rate is measured over so many operations."""
        self._weight, self._measured_operations = weight, measured_operations

    def seconds(
        self, config: Any, operations: tuple[float, float], tokens: int, rows: int
    ) -> float:
        """Time that (layers, projection) operations take at the rate of these products.

        `tokens` (in the projection, `rows`) are multiplied at a time.
        """
        widths = layer_widths(config)
        layers, projection = operations
        layer_operations = sum(2 * tokens * a * b * n for (a, b), n in widths.items())
        layer_seconds = sum(n * self._product_seconds(tokens, a, b) for (a, b), n in widths.items())
        d, v = config.hidden_size, config.vocab_size
        projection_seconds = self._product_seconds(rows, d, v)
        projection_operations = 2 * rows * d * v
        seconds = layers * layer_seconds / layer_operations
        seconds += projection * projection_seconds / projection_operations
        return float(seconds)

    def _product_seconds(self, rows: int, inputs: int, outputs: int) -> float:
        x = torch.randn(rows, inputs).to(self._weight)
        weight = torch.randn(outputs, inputs).to(self._weight)
        times = []
        with torch.inference_mode():
            for _ in range(5):
                repeats = max(1, int(self._measured_operations / (2 * rows * inputs * outputs)))
                _synchronise(weight)
                start = time.perf_counter()
                for _ in range(repeats):
                    F.linear(x, weight)
                _synchronise(weight)
                times.append((time.perf_counter() - start) / repeats)
        return float(np.median(times))


def _synchronise(like: torch.Tensor) -> None:
    if like.is_cuda:
        torch.cuda.synchronize(like.device)
