"""How well a model has learned rows, and how many of them it has memorised.

In: a model, training examples. Out: the loss on outputs, averaged over examples (Shi et al. 2024,
figure 3), and the share of outputs that greedy decoding reproduces exactly. Both are measured on
training rows and on unseen rows of the same mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from study.config.tuning.methods import Loss
from study.tuning.data.examples import LabelledExample
from study.tuning.data.label_weights import label_weights
from study.tuning.training.packed_sequences import pack_step

MEASURED_ROWS = 512
"Number of rows that are measured: the first ones."


def measure_memorisation(
    model: Any,
    examples: Sequence[LabelledExample],
    *,
    max_length: int,
    tokens_at_once: int,
    pad: int,
    device: Any,
) -> dict[str, float]:
    """`output_loss` in nats per token, and `regenerated`, a share of the examples.

    Greedy decoding reproduces an output exactly if each of its tokens has the highest probability
    given the correct tokens before it, so one forward pass is enough.
    """
    import torch

    from study.tuning.training.objective import log_probabilities, step_batches

    loss = Loss(over="output")
    outputs = [
        LabelledExample(example.encoded, *label_weights(example.encoded, loss))
        for example in examples[:MEASURED_ROWS]
    ]
    outputs = [example for example in outputs if example.numerator.any()]
    parts = pack_step(
        outputs, max_length=max_length, tokens_at_once=tokens_at_once, pad=pad, packing=True
    )
    losses, reproduced = np.zeros(len(outputs)), np.ones(len(outputs), dtype=bool)
    lengths = np.array([example.numerator.sum() for example in outputs])
    was_training = model.training
    model.eval()
    for part, batch in zip(parts, step_batches(parts, loss, device), strict=True):
        with torch.no_grad():
            log_probs = log_probabilities(model, batch)
        target_log_probs = log_probs.gather(1, batch.target[:, None])[:, 0]
        is_greedy = (log_probs.argmax(1) == batch.target).cpu().numpy()
        document = part.document.ravel()[batch.source.cpu().numpy() + 1]
        np.add.at(losses, document, -target_log_probs.double().cpu().numpy())
        np.logical_and.at(reproduced, document, is_greedy)
    model.train(was_training)
    return {
        "output_loss": float((losses / lengths).mean()),
        "regenerated": float(reproduced.mean()),
    }
