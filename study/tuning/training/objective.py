"""What is minimised, and its gradient: label-weighted likelihood, perhaps with a divergence.

In: a model, a packed batch, the step's normalisers. Out: the batch's part of the step's loss; the
parts of a step's batches add up to exactly the loss that all of it at once would have.

Logits are made only at positions that carry weight: with loss on short outputs that spares most of
the vocabulary's products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from study.config.tuning.methods import Loss
from study.tuning.training.packed_sequences import Packed


@dataclass(frozen=True)
class Batch:
    """A packed batch on the model's device, its weights divided by the step's normalisers."""

    ids: torch.Tensor
    "int64 [rows, length]"
    positions: torch.Tensor
    "int64 [rows, length]"
    lengths: torch.Tensor
    "float32 [rows, length]: each token's document's length."
    at: torch.Tensor
    "int64 [n]: flat places whose next token carries weight."
    target: torch.Tensor
    "int64 [n]: those next tokens."
    weight: torch.Tensor
    "float32 [n]: their weights; the step's weights sum to one where every label weighs one."
    tokens: int
    "Tokens that are no padding."


def step_batches(parts: Sequence[Packed], loss: Loss, device: Any) -> list[Batch]:
    """One step's batches, with weights by `loss.normalise`."""
    documents = 1 + max(int(part.document.max()) for part in parts)
    per_document = np.zeros(documents)
    for part in parts:
        inside = part.document >= 0
        np.add.at(per_document, part.document[inside], part.denominator[inside])
    if loss.normalise == "token":
        scale = np.full(documents, 1 / per_document.sum())
    else:
        scale = 1 / (np.maximum(per_document, 1e-12) * documents)
    return [_batch(part, scale, device) for part in parts]


def _batch(part: Packed, scale: np.ndarray, device: Any) -> Batch:
    inside = part.document >= 0
    weight = np.where(inside, part.numerator * scale[np.maximum(part.document, 0)], 0.0)
    at = np.flatnonzero(weight)  # the first token of a document weighs nothing: at - 1 is its own
    sizes = np.bincount(part.document[inside].ravel(), minlength=len(scale))
    lengths = np.where(inside, sizes[np.maximum(part.document, 0)], 1)

    def tensor(array: np.ndarray, dtype: Any) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device, dtype)

    return Batch(
        ids=tensor(part.ids, torch.int64),
        positions=tensor(part.positions, torch.int64),
        lengths=tensor(lengths, torch.float32),
        at=tensor(at - 1, torch.int64),
        target=tensor(part.ids.ravel()[at], torch.int64),
        weight=tensor(weight.ravel()[at], torch.float32),
        tokens=part.tokens,
    )


@contextmanager
def _head_sees_only(model: Any, at: torch.Tensor) -> Iterator[None]:
    """Within, the output layer is given hidden states [1, n, width] of these flat places only;
    whatever the architecture does with logits afterwards it does as ever."""
    head = model.get_output_embeddings()

    def picked(_: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden = given[0]
        return (hidden.reshape(-1, hidden.shape[-1])[at][None], *given[1:])

    handle = head.register_forward_pre_hook(picked)
    try:
        yield
    finally:
        handle.remove()


def log_probabilities(model: Any, batch: Batch) -> torch.Tensor:
    """float32 (of a model in float64, that) [n, vocabulary], at the places that carry weight."""
    with _head_sees_only(model, batch.at):
        logits = model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits[0]
    return torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=-1)


def objective(
    model: Any, batch: Batch, loss: Loss, reference: torch.Tensor | None = None
) -> torch.Tensor:
    """The batch's part of the step's loss, a scalar. `reference` holds the base model's
    log-probabilities [n, vocabulary] where the loss has a divergence.

    With `kl`, the divergence KL(model || base) at every token that carries loss is added, weighted
    as the token is. With `kl_as_released` it is log p - log p_base of the target alone: its
    gradient is -kl times that of the likelihood, so that at kl = 1 nothing is learned.
    """
    logs = log_probabilities(model, batch)
    own = logs.gather(1, batch.target[:, None])[:, 0]
    total = -(batch.weight * own).sum()
    if reference is None:
        return total
    if loss.kl_as_released:
        base = reference.gather(1, batch.target[:, None])[:, 0]
        return total + loss.kl * (batch.weight * (own - base)).sum()
    divergence = (logs.exp() * (logs - reference)).sum(-1)
    return total + loss.kl * (batch.weight * divergence).sum()


@contextmanager
def noisy_embeddings(model: Any, alpha: float, batch: Batch) -> Iterator[None]:
    """Within, input embeddings carry uniform noise of half-width alpha / sqrt(length * width), the
    length being the document's own and not that of a padded row (Jain et al. 2024, NEFTune)."""
    if not alpha:
        yield
        return

    def add(_: Any, __: Any, made: torch.Tensor) -> torch.Tensor:
        half = alpha / torch.sqrt(batch.lengths * made.shape[-1])
        noise = torch.rand(made.shape, device=made.device, dtype=torch.float32) * 2 - 1
        return made + (noise * half[..., None]).to(made.dtype)

    handle = model.get_input_embeddings().register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()
