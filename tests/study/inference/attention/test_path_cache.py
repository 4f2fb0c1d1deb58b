"""Path caches are extended by nodes, and never modified."""

from __future__ import annotations

import numpy as np
import torch

from study.inference.attention.path_cache import PathCache, bytes_per_token, extended_path


def keys_values(*values: float) -> tuple[torch.Tensor, torch.Tensor]:
    k = torch.tensor(values).reshape(1, 1, -1, 1)
    return k, -k


def test_extended_path() -> None:
    empty = PathCache()
    path = extended_path(empty, 0, {"layer": keys_values(1, 2, 3)}, np.array([0, 2]))
    longer = extended_path(path, 1, {"layer": keys_values(7, 8)}, np.array([1]))
    assert (empty.length, path.length, longer.length) == (0, 2, 2)
    assert path.layers["layer"][0].flatten().tolist() == [1, 3]
    k, v = longer.layers["layer"]
    assert k.flatten().tolist() == [1, 8]
    assert v.flatten().tolist() == [-1, -8]


def test_bytes_per_token() -> None:
    k = torch.zeros(1, 2, 5, 8, dtype=torch.float16)
    assert bytes_per_token({"a": (k, k), "b": (k, k)}) == 4 * 2 * 8 * 2
