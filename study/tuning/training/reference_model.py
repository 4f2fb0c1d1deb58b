"""The base model as the reference of a divergence: its log-probabilities, without gradient.

In: the model in training, the base's folder. Out: a function of a batch. With adapters the base is
the same model with the adapters disabled; otherwise it is a second copy in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from study.config.tuning.grids import Recipe
from study.models.folders.loading import load_model
from study.tuning.training.objective import StepBatch, log_probabilities

Reference = Callable[[StepBatch], torch.Tensor]
"Log-probabilities [n, vocabulary] of the base model at a batch's weighted positions."


def load_reference(
    model: Any, folder: Path, recipe: Recipe, device: str, *, trust_remote_code: bool
) -> Reference:
    """The reference for a model that is trained from the base in `folder`."""
    if recipe.adapter is not None:

        def without_adapter(batch: StepBatch) -> torch.Tensor:
            with torch.no_grad(), model.disable_adapter():
                return log_probabilities(model, batch)

        return without_adapter
    base = load_model(folder, trust_remote_code=trust_remote_code, dtype=torch.float32)
    tokens = model.get_input_embeddings().weight.shape[0]
    if base.get_input_embeddings().weight.shape[0] != tokens:
        base.resize_token_embeddings(tokens)
    base.to(device).eval()

    def of_base(batch: StepBatch) -> torch.Tensor:
        with torch.no_grad():
            return log_probabilities(base, batch)

    return of_base
