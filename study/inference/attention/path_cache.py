"""The key/value cache of a path: what the nodes after it attend to.

In: keys and values that forward passes computed, and which of them lie on the path. Out:
`PathCache`, never modified in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from study.inference.prefix_tree import Ints

KeysValues = tuple[Tensor, Tensor]
"Keys and values of one layer, both [1, key heads, length, head_dim]."


@dataclass(frozen=True)
class PathCache:
    """Keys and values of the ancestors of a node."""

    length: int = 0
    "Number of ancestors."
    layers: dict[Any, KeysValues] = field(default_factory=dict)
    "By attention module."


def extended_path(
    path: PathCache, retained: int, computed: dict[Any, KeysValues], nodes: Ints
) -> PathCache:
    """The first `retained` nodes of a path, followed by `nodes` of what was computed."""
    layers = {}
    for module, (k, v) in computed.items():
        index = torch.from_numpy(nodes).to(k.device)
        new_k, new_v = k.index_select(2, index), v.index_select(2, index)
        if retained:
            old_k, old_v = path.layers[module]
            new_k = torch.cat([old_k[:, :, :retained], new_k], 2)
            new_v = torch.cat([old_v[:, :, :retained], new_v], 2)
        layers[module] = new_k, new_v
    return PathCache(retained + len(nodes), layers)


def bytes_per_token(layers: dict[Any, KeysValues]) -> int:
    """Size of the keys and values of one token, over all layers."""
    tensors = [tensor for pair in layers.values() for tensor in pair]
    return sum(x.shape[1] * x.shape[3] * x.element_size() for x in tensors)
