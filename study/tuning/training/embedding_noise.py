"""Noise on input embeddings (NEFTune: Jain et al. 2024).

In: a model, a batch. Out: the model's forward pass with noise of half-width
alpha / sqrt(length * width), where the length is that of the document, not of a padded row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from study.tuning.training.objective import StepBatch


@contextmanager
def noisy_embeddings(model: Any, alpha: float, batch: StepBatch) -> Iterator[None]:
    """Add uniform noise to the model's input embeddings inside the context; none if alpha is 0."""
    if not alpha:
        yield
        return

    def add_noise(_: Any, __: Any, embeddings: torch.Tensor) -> torch.Tensor:
        half_width = alpha / torch.sqrt(batch.lengths * embeddings.shape[-1])
        uniform = torch.rand(embeddings.shape, device=embeddings.device, dtype=torch.float32)
        noise = uniform * 2 - 1
        return embeddings + (noise * half_width[..., None]).to(embeddings.dtype)

    handle = model.get_input_embeddings().register_forward_hook(add_noise)
    try:
        yield
    finally:
        handle.remove()
