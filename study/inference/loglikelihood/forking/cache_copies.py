"""Copies of a transformers cache: the state after a prefix, once for every sequence below it.

In: a cache, which holds keys and values, convolution and recurrent states of a batch. Out: a cache
of chosen rows. The original is not changed, neither now nor by a forward pass over the copy.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache

from study.inference.attention.hook import UnsupportedModelError


def copied_rows(cache: Any, rows: Sequence[int], device: torch.device | str) -> Cache:
    """A cache with the given rows of `cache`, which may repeat.

    UnsupportedModelError if the model keeps its state in something else than transformers' caches.
    """
    if not isinstance(cache, Cache) or type(cache).reorder_cache is not Cache.reorder_cache:
        raise UnsupportedModelError(f"its state is a {type(cache).__name__}, which is not copied")
    copied = copy.copy(cache)
    copied.layers = [_copied_layer(layer) for layer in cache.layers]
    # Selecting rows, as beam search does, makes new tensors in every layer.
    copied.reorder_cache(torch.tensor(rows, device=device))
    return copied


def _copied_layer(layer: Any) -> Any:
    copied = copy.copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, dict):  # the states of one layer
            setattr(copied, name, dict(value))
    return copied
