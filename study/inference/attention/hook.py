"""Replaces the attention of a transformers model during a forward pass.

In: a model, and an `AttentionFunction` that computes the attention of each layer from its queries,
keys and values. Out: a context in which the layers of the model call this function. transformers
looks up both the attention and the construction of masks by name (its AttentionInterface). Models
that do not use this interface never call the function; the probe detects this.

transformers' mask functions depend on positions alone, so they are as valid for a tree as for a
sequence if positions are depths in the tree. Sliding windows and chunked attention are therefore
correct in every layer, whatever the model's config calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import causal_mask_function

from study.inference.attention.kernels import ScoreTransform

IMPLEMENTATION = "shared-prefix"
"The name under which the functions are registered with transformers."
UNSUPPORTED_ARGUMENTS = ("position_bias", "head_mask")
"Arguments of transformers' attention functions that change attention scores."


class UnsupportedModelError(Exception):
    """The model requires something that packed attention does not implement."""


@dataclass(frozen=True, eq=False)
class PositionRule:
    """Which ancestors may be attended to, given the positions of query and key."""

    function: Callable[..., Tensor]
    "A mask function of transformers: (batch, head, query position, key position) -> boolean."

    def allows(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Whether the positions `queries` may attend to `keys`, broadcast against each other."""
        zero = torch.zeros((), dtype=torch.long, device=queries.device)
        return self.function(zero, zero, queries, keys).expand((queries + keys).shape)


@dataclass(frozen=True)
class AttentionInputs:
    """What one layer of the model passes to its attention function."""

    module: Any
    "The layer's attention module; it identifies the layer."
    q: Tensor
    "[1, heads, length, head_dim]"
    k: Tensor
    "[1, key heads, length, head_dim]"
    v: Tensor
    "[1, key heads, length, value head_dim]"
    transform: ScoreTransform
    rule: PositionRule | None
    "None if every ancestor may be attended to."
    sinks: Tensor | None = None
    "[heads]: logits of attention sinks, one for each head."


AttentionFunction = Callable[[AttentionInputs], Tensor]
"Computes the attention of one layer: output [length, heads, head_dim]."


@dataclass(frozen=True)
class _ForwardPass:
    """The forward pass that is under way."""

    function: AttentionFunction
    modules: set[Any] = field(default_factory=set)
    "Attention modules that have called the function."


_current_pass: ContextVar[_ForwardPass] = ContextVar("current_pass")


@contextmanager
def replaced_attention(model: Any, function: AttentionFunction) -> Iterator[None]:
    """Within this context, the layers of `model` compute their attention by `function`.

    The context lasts for one forward pass.
    """
    implementation = model.config._attn_implementation
    token = _current_pass.set(_ForwardPass(function))
    model.config._attn_implementation = IMPLEMENTATION
    try:
        yield
    finally:
        model.config._attn_implementation = implementation
        _current_pass.reset(token)


def _position_rule(*, mask_function: Callable[..., Tensor], **_: Any) -> PositionRule | None:
    """The "mask" that transformers passes on to every layer: the rule itself."""
    return None if mask_function is causal_mask_function else PositionRule(mask_function)


def _call_current_function(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: PositionRule | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """An attention function with the signature that transformers expects."""
    for name in UNSUPPORTED_ARGUMENTS:
        if others.get(name) is not None:
            raise UnsupportedModelError(f"its attention uses {name}")
    if attention_mask is not None and not isinstance(attention_mask, PositionRule):
        kind = type(attention_mask).__name__
        raise UnsupportedModelError(f"it builds its own attention masks ({kind})")
    forward_pass = _current_pass.get()
    if module in forward_pass.modules:
        # Keys and values are stored by module: those of the first call would be lost.
        raise UnsupportedModelError("its layers compute attention more than once per forward pass")
    forward_pass.modules.add(module)
    scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
    inputs = AttentionInputs(
        module, query, key, value, ScoreTransform(scale, softcap), attention_mask, s_aux
    )
    return forward_pass.function(inputs).unsqueeze(0), None


AttentionInterface.register(IMPLEMENTATION, _call_current_function)
AttentionMaskInterface.register(IMPLEMENTATION, _position_rule)
