"""The training loss: label-weighted likelihood, optionally with a divergence from the base model.

In: a model, a packed batch, the normalisers of its step. Out: the batch's part of the step's loss.
The parts of a step's batches sum to exactly the loss of the whole step in one batch.

Logits are computed only at positions with weight: where only short outputs carry loss, this saves
most of the products with the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from study.config.tuning.methods import Loss
from study.tuning.training.packed_sequences import PackedRows


@dataclass(frozen=True)
class StepBatch:
    """A packed batch on the model's device, with weights divided by the step's normalisers."""

    ids: torch.Tensor
    "int64 [rows, length]"
    positions: torch.Tensor
    "int64 [rows, length]"
    lengths: torch.Tensor
    "float32 [rows, length]: length of the document that the token belongs to."
    source: torch.Tensor
    "int64 [n]: flat positions whose next token has weight."
    target: torch.Tensor
    "int64 [n]: those next tokens."
    weight: torch.Tensor
    "float32 [n]: their weights; over a step they sum to one if every label has weight one."
    tokens: int
    "Number of tokens without padding."


def step_batches(parts: Sequence[PackedRows], loss: Loss, device: Any) -> list[StepBatch]:
    """The batches of one step, with weights normalised by `loss.normalise`."""
    documents = 1 + max(int(part.document.max()) for part in parts)
    denominators = np.zeros(documents)
    for part in parts:
        is_token = part.document >= 0
        np.add.at(denominators, part.document[is_token], part.denominator[is_token])
    if loss.normalise == "token":
        scale = np.full(documents, 1 / denominators.sum())
    else:
        scale = 1 / (np.maximum(denominators, 1e-12) * documents)
    return [_step_batch(part, scale, device) for part in parts]


def _step_batch(part: PackedRows, scale: np.ndarray, device: Any) -> StepBatch:
    is_token = part.document >= 0
    weight = np.where(is_token, part.numerator * scale[np.maximum(part.document, 0)], 0.0)
    # A document's first token has no weight, so the position before is in the same document.
    target = np.flatnonzero(weight)
    sizes = np.bincount(part.document[is_token].ravel(), minlength=len(scale))
    lengths = np.where(is_token, sizes[np.maximum(part.document, 0)], 1)

    def tensor(array: np.ndarray, dtype: Any) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device, dtype)

    return StepBatch(
        ids=tensor(part.ids, torch.int64),
        positions=tensor(part.positions, torch.int64),
        lengths=tensor(lengths, torch.float32),
        source=tensor(target - 1, torch.int64),
        target=tensor(part.ids.ravel()[target], torch.int64),
        weight=tensor(weight.ravel()[target], torch.float32),
        tokens=part.tokens,
    )


@contextmanager
def _output_layer_at(model: Any, positions: torch.Tensor) -> Iterator[None]:
    """Pass hidden states [1, n, width] of these flat positions only to the output layer; what the
    architecture does with logits afterwards is unchanged."""
    output_layer = model.get_output_embeddings()

    def select(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden = inputs[0]
        return (hidden.reshape(-1, hidden.shape[-1])[positions][None], *inputs[1:])

    handle = output_layer.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()


def log_probabilities(model: Any, batch: StepBatch) -> torch.Tensor:
    """Log-probabilities [n, vocabulary] at the weighted positions, in float32 or, for a model in
    float64, in float64."""
    with _output_layer_at(model, batch.source):
        logits = model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits[0]
    return torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=-1)


def objective(
    model: Any, batch: StepBatch, loss: Loss, reference: torch.Tensor | None = None
) -> torch.Tensor:
    """The batch's part of the step's loss, a scalar.

    `reference` holds the base model's log-probabilities [n, vocabulary], if the loss has a
    divergence. With `kl`, KL(model || base) at every token that carries loss is added, with the
    token's weight. With `kl_as_released`, log p − log p_base of the target token is added instead;
    its gradient is −kl times that of the likelihood, so that at kl = 1 nothing is learned.
    """
    log_probs = log_probabilities(model, batch)
    target_log_probs = log_probs.gather(1, batch.target[:, None])[:, 0]
    total = -(batch.weight * target_log_probs).sum()
    if reference is None:
        return total
    if loss.kl_as_released:
        base_log_probs = reference.gather(1, batch.target[:, None])[:, 0]
        return total + loss.kl * (batch.weight * (target_log_probs - base_log_probs)).sum()
    divergence = (log_probs.exp() * (log_probs - reference)).sum(-1)
    return total + loss.kl * (batch.weight * divergence).sum()
