"""The reference of a divergence is the base, whatever has become of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from study.config.tuning.methods import Loss
from study.models.pairs import study_pairs
from study.results.run import Run
from study.tuning.training.model_setup import load_trainable
from study.tuning.training.objective import log_probabilities, step_batches
from study.tuning.training.packed_sequences import pack_step
from study.tuning.training.reference_model import load_reference
from tests.study.tuning.small_studies import changed, the_recipe, write_study
from tests.study.tuning.small_tokenizers import small_tokenizer
from tests.study.tuning.training.small_models import rows_of


@pytest.mark.parametrize("adapter", [None, {"r": 4}])
def test_log_probabilities_of_the_base(adapter: dict[str, Any] | None, tmp_path: Path) -> None:
    parts = {"recipe": {"adapter": "a"}, "adapters": {"a": adapter}} if adapter else {}
    run = Run.open(write_study(tmp_path, changed(**parts)))
    recipe, (pair,) = the_recipe(run), study_pairs(run.study)
    folder = Path(pair.base.path)
    model = load_trainable(
        folder, recipe, small_tokenizer("zoo"), "cpu", spread=False, trust_remote_code=False
    )
    model.eval()
    rows = rows_of(Loss())
    step = pack_step(rows, max_length=160, tokens_at_once=10_000, pad=0, packing=True)
    (batch,) = step_batches(step, Loss(), "cpu")
    base = log_probabilities(model, batch).detach()
    reference = load_reference(model, folder, recipe, "cpu", trust_remote_code=False)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.05)
    assert float((log_probabilities(model, batch) - base).detach().abs().max()) > 0.1
    torch.testing.assert_close(reference(batch), base, rtol=0, atol=1e-6)
    assert not reference(batch).requires_grad
