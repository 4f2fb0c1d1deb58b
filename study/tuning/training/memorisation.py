"""How well a model has learned its rows, and how much it has learned them by heart.

In: a model, rows. Out: the loss on outputs alone, the mean over examples (Shi et al. 2024, figure
3), and the share of outputs that greedy decoding gives back word for word. Both on the training
rows and on rows of the same kind that it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from study.config.tuning.methods import Loss
from study.tuning.data.examples import Labelled
from study.tuning.data.label_weights import label_weights
from study.tuning.training.packed_sequences import packed

MEASURED_ROWS = 512
"Of the training rows, the first so many."


def measured(
    model: Any,
    rows: Sequence[Labelled],
    longest: int,
    tokens_at_once: int,
    pad: int,
    device: Any,
) -> dict[str, float]:
    """`output_loss`, nats a token, and `regenerated`, a share of the rows.

    An output is given back whole by greedy decoding exactly if each of its tokens is the likeliest
    after the right ones before it, so one pass over the rows tells.
    """
    import torch

    from study.tuning.training.objective import log_probabilities, step_batches

    loss = Loss(over="output")
    outputs = [Labelled(each.row, *label_weights(each.row, loss)) for each in rows[:MEASURED_ROWS]]
    outputs = [each for each in outputs if each.numerator.any()]
    parts = packed(outputs, longest=longest, tokens_at_once=tokens_at_once, pad=pad, packing=True)
    losses, whole = np.zeros(len(outputs)), np.ones(len(outputs), dtype=bool)
    tokens = np.array([each.numerator.sum() for each in outputs])
    was_training = model.training
    model.eval()
    for part, batch in zip(parts, step_batches(parts, loss, device), strict=True):
        with torch.no_grad():
            logs = log_probabilities(model, batch)
        own = logs.gather(1, batch.target[:, None])[:, 0].double().cpu().numpy()
        likeliest = (logs.argmax(1) == batch.target).cpu().numpy()
        document = part.document.ravel()[batch.at.cpu().numpy() + 1]
        np.add.at(losses, document, -own)
        np.logical_and.at(whole, document, likeliest)
    model.train(was_training)
    return {"output_loss": float((losses / tokens).mean()), "regenerated": float(whole.mean())}
