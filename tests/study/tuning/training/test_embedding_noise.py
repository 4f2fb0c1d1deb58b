"""Noise on embeddings: its width, and that it ends with the context."""

from __future__ import annotations

import torch

from study.config.tuning.methods import Loss
from study.tuning.training.embedding_noise import noisy_embeddings
from study.tuning.training.objective import step_batches
from study.tuning.training.packed_sequences import pack_step
from tests.study.tuning.training.small_models import FAMILIES, model_of, rows_of

LOSS = Loss(over="output")


def test_half_width_depends_on_the_documents_length() -> None:
    model = model_of(FAMILIES[0])
    rows = rows_of(LOSS)
    (batch,) = step_batches(
        pack_step(rows, max_length=160, tokens_at_once=10_000, pad=0, packing=True),
        LOSS,
        "cpu",
    )
    plain = model.get_input_embeddings()(batch.ids)
    torch.manual_seed(0)
    with noisy_embeddings(model, 5.0, batch):
        noise = model.get_input_embeddings()(batch.ids) - plain
    torch.testing.assert_close(model.get_input_embeddings()(batch.ids), plain, rtol=0, atol=0)
    half_width = 5.0 / torch.sqrt(batch.lengths * plain.shape[-1])
    largest = noise.abs().amax(-1)
    assert bool((largest <= half_width * 1.0001).all())
    assert bool((largest > 0.5 * half_width).all())
    sizes = {len(row.encoded.ids) for row in rows}
    assert set(batch.lengths.unique().int().tolist()) - {1} == sizes
