"""Puts our attention in the place of a transformers model's own, for the time of a forward pass.

In: a model, and `Attending`: what is to be done with each layer's queries, keys and values. Out: a
context in which the model's attention layers call it. transformers hands both the attention and
the making of masks to functions registered by name (its AttentionInterface); models that don't ask
them never call us, which the probe sees.

A mask function of transformers decides by positions alone, so it answers for a tree as it does for
a sequence once it is asked about depths: that is how sliding windows and chunks come out right
per layer, whatever the model calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import causal_mask_function

from study.inference.attention.kernels import Logits

NAME = "shared-prefix"


class NotPackable(Exception):
    """The model asks for something that packed attention doesn't do."""


@dataclass(frozen=True, eq=False)
class Rule:
    """Who may attend to whom by position, beyond being an ancestor."""

    function: Callable[..., Tensor]

    def allowed(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Boolean [..., T, S] for depths `queries` [..., T] and `keys` [..., S]."""
        q, k = queries.unsqueeze(-1), keys.unsqueeze(-2)
        zero = torch.zeros((), dtype=torch.long, device=q.device)
        return self.function(zero, zero, q, k).expand((q + k).shape)


@dataclass(frozen=True)
class Layer:
    """What a layer of the model asks to have attended."""

    module: Any
    q: Tensor
    "[1, heads, length, head_dim]"
    k: Tensor
    "[1, key heads, length, head_dim]"
    v: Tensor
    logits: Logits
    rule: Rule | None
    "None: all ancestors are seen."


Attending = Callable[[Layer], Tensor]
"Answers a layer in the place of the model's own attention: output [length, heads, head_dim]."


_attending: ContextVar[Attending] = ContextVar("attending")


@contextmanager
def attending(model: Any, by: Attending) -> Iterator[None]:
    """Within it, the layers of `model` attend through `by`."""
    own = model.config._attn_implementation
    token = _attending.set(by)
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = own
        _attending.reset(token)


def _mask(*, mask_function: Callable[..., Tensor], **_: Any) -> Rule | None:
    """What transformers takes for a mask, and hands on to each layer: the rule itself."""
    return None if mask_function is causal_mask_function else Rule(mask_function)


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Rule | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    for name in ("s_aux", "position_bias", "head_mask"):
        if others.get(name) is not None:
            raise NotPackable(f"its attention uses {name}")
    if attention_mask is not None and not isinstance(attention_mask, Rule):
        raise NotPackable(f"it makes masks of its own ({type(attention_mask).__name__})")
    scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
    layer = Layer(module, query, key, value, Logits(scale, softcap), attention_mask)
    out = _attending.get()(layer)
    return out.unsqueeze(0), None


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, _mask)
