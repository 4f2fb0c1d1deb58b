"""The key/value cache of a path: what the nodes after it attend to.

In: keys and values that forward passes computed, and which of them lie on the path. Out:
`PathCache`, never modified in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

KeysValues = tuple[Tensor, Tensor]
"Keys and values of one layer, both [1, key heads, length, head_dim]."


@dataclass(frozen=True)
class PathCache:
    """Keys and values of the ancestors of a node."""

    length: int = 0
    "Number of ancestors."
    layers: dict[Any, KeysValues] = field(default_factory=dict)
    "By attention module."

    def extended(self, module: Any, retained: int, k: Tensor, v: Tensor) -> KeysValues:
        """The first `retained` keys and values of a layer, followed by `k` and `v`."""
        if not retained:
            return k, v
        old_k, old_v = self.layers[module]
        return torch.cat([old_k[:, :, :retained], k], 2), torch.cat([old_v[:, :, :retained], v], 2)


def bytes_per_token(k: Tensor, v: Tensor) -> int:
    """Size of the keys and values of one token in one layer."""
    return sum(x.shape[1] * x.shape[3] * x.element_size() for x in (k, v))
