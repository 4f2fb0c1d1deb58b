"""Path caches are extended layer by layer, and never modified."""

from __future__ import annotations

import torch

from study.inference.attention.path_cache import PathCache, bytes_per_token


def keys_values(*values: float) -> tuple[torch.Tensor, torch.Tensor]:
    k = torch.tensor(values).reshape(1, 1, -1, 1)
    return k, -k


def test_a_layer_is_extended() -> None:
    path = PathCache(2, {"layer": keys_values(1, 3)})
    k, v = path.extended("layer", 1, *keys_values(8))
    assert k.flatten().tolist() == [1, 8]
    assert v.flatten().tolist() == [-1, -8]
    assert path.layers["layer"][0].flatten().tolist() == [1, 3]
    assert PathCache().extended("layer", 0, *keys_values(5))[0].flatten().tolist() == [5]


def test_bytes_per_token() -> None:
    k = torch.zeros(1, 2, 5, 8, dtype=torch.float16)
    assert bytes_per_token(k, k[..., :4]) == 2 * (8 + 4) * 2
