"""The projection of hidden states onto the vocabulary, of as many rows at a time as are needed.

In: a transformers causal model. Out: its output layer, if that alone makes logits of hidden states;
`Logits`, which projects rows when it is asked for them. The logits of all rows of a batch are then
never held together. Where a model scales or caps logits after its output layer, or its output
layer is not a plain one, the model itself computes all logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CHECKED_TOKENS = 8


@dataclass(frozen=True)
class Logits:
    """The logits of some rows of a forward pass."""

    _outputs: Tensor
    "[rows, width] hidden states, or [rows, vocabulary] logits if there is no head."
    _head: nn.Linear | None

    def __len__(self) -> int:
        return len(self._outputs)

    @torch.inference_mode()
    def __getitem__(self, rows: slice) -> Tensor:
        """The logits [rows, vocabulary] of these rows."""
        outputs = self._outputs[rows]
        if self._head is None:
            return outputs
        logits: Tensor = self._head(outputs)
        return logits


@torch.inference_mode()
def plain_head(model: Any, device: torch.device, options: dict[str, Any]) -> nn.Linear | None:
    """The output layer of a model whose logits are what this layer makes of hidden states.

    `options` are those with which the model is called. None if anything else changes the logits,
    which are compared on a few tokens, bit by bit.
    """
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear or has_hooks(head):
        return None
    ids = torch.arange(CHECKED_TOKENS, device=device) % model.get_input_embeddings().num_embeddings
    expected = model(ids[None], **options).logits
    with skipped_head(head):
        hidden = model(ids[None], **options).logits
    if hidden.shape[-1] != head.in_features or hidden.dtype != head.weight.dtype:
        return None
    return head if torch.equal(head(hidden), expected) else None


def has_hooks(head: nn.Module) -> bool:
    """Whether someone observes or changes what the output layer computes."""
    return bool(head._forward_hooks or head._forward_pre_hooks)


@contextmanager
def skipped_head(head: nn.Linear) -> Iterator[None]:
    """Within this context, the output layer returns its input."""
    own = head.__dict__.get("forward")  # accelerate's, which moves weights
    head.forward = _unchanged  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own  # type: ignore[method-assign]


def _unchanged(hidden: Tensor) -> Tensor:
    # Logits of an infinite hidden state are NaN, for which users look in what a model returns.
    return hidden.masked_fill(hidden.isinf(), torch.nan)
