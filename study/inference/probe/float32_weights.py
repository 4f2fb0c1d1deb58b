"""Computes with a half-precision model in float32, without a float32 copy of the model.

In: a model in float16 or bfloat16. Out: a context in which every module computes in float32. The
weights of a module are converted right before it runs and restored right after, so that memory
holds the float32 weights of one module at a time, however large the model. Activations are in
float32 throughout, because the embeddings are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

HALF_PRECISION = (torch.float16, torch.bfloat16)


class _ConvertedModule:
    """The hooks of one module that has weights of its own."""

    def __init__(self) -> None:
        self._originals: list[tuple[Tensor, Tensor]] = []

    def before(self, module: Any, _arguments: Any) -> None:
        for tensor in _weights_read_by(module):
            # Quantised weights keep their format: their module converts the result.
            if tensor.dtype in HALF_PRECISION:
                self._originals.append((tensor, tensor.data))
                tensor.data = tensor.data.float()

    def after(self, *_: Any) -> None:
        for tensor, data in self._originals:
            tensor.data = data
        self._originals = []


def _weights_read_by(module: Any) -> Iterator[Tensor]:
    """A module's own weights and, in layers with states, those of its linear maps.

    Layers with states read the weights of their convolution or projections without calling these.
    """
    children = [child for child in module.children() if not any(True for _ in child.children())]
    has_own = any(True for _ in module.parameters(recurse=False))
    read = [child for child in children if has_own or isinstance(child, torch.nn.Conv1d)]
    for owner in (module, *read):
        yield from owner.parameters(recurse=False)
        yield from owner.buffers(recurse=False)


@contextmanager
def float32_weights(model: Any) -> Iterator[None]:
    """Within this context, forward passes of `model` compute in float32.

    Raises whatever the model raises if one of its modules uses weights of another module: these
    are still in half precision.
    """
    handles = []
    for module in model.modules():
        if any(True for _ in _weights_read_by(module)):
            converted = _ConvertedModule()
            handles += [
                module.register_forward_pre_hook(converted.before, prepend=True),
                module.register_forward_hook(converted.after, always_call=True),
            ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
