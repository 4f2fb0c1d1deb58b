"""Losses on outputs and reproduced outputs, against each row alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from study.config.tuning.methods import Loss
from study.tuning.data.rendering import OUTPUT
from study.tuning.training.memorisation import measure_memorisation
from tests.study.tuning.training.small_models import FAMILIES, model_of, rows_of


@pytest.mark.parametrize("at_once", [64, 10_000])
def test_measures_are_those_of_each_row_alone(at_once: int) -> None:
    model, rows = model_of(FAMILIES[0]), rows_of(Loss(over="all"))
    measures = measure_memorisation(
        model, rows, max_length=160, tokens_at_once=at_once, pad=0, device="cpu"
    )
    losses, reproduced = [], []
    for row in rows:
        ids = torch.from_numpy(row.encoded.ids.astype(np.int64))
        outputs = np.flatnonzero(row.encoded.kinds == OUTPUT)
        with torch.no_grad():
            log_probs = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        losses.append(float(-log_probs[outputs - 1, ids[outputs]].mean()))
        reproduced.append(bool((log_probs[outputs - 1].argmax(-1) == ids[outputs]).all()))
    assert measures["output_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert measures["regenerated"] == np.mean(reproduced)
