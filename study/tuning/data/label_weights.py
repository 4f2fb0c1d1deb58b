"""Label masks: how much loss each token carries, and over what the mean is taken.

In: the kinds of a sequence's tokens (rendering.py). Out: two weights a token. A row's loss is

    sum_t numerator[t] * -log p(x_t | x_<t)  /  sum_t denominator[t]

and the first token, which nothing precedes, carries none.

    loss                     numerator              denominator
                             tmpl.  instr.  output  tmpl.  instr.  output
    output                     0      0       1       0      0       1    instruction tuning (IT)
    instruction_and_output     0      1       1       0      1       1    instruction modelling (IM)
    all                        1      1       1       1      1       1    as S1 and S4 trained
    weighted, w                0      w       1       0      0       1    w = 0 is IT
    output_diluted             0      0       1       0      1       1    IT, outputs weighing as in
                                                                          IM: the control it lacks

IM: Shi et al. (2024), equation 2. In `weighted` an output weighs as in IT whatever w is, so that
loss on instructions is added and nothing is taken away.
"""

from __future__ import annotations

import numpy as np

from study.config.tuning.methods import Loss
from study.tuning.data.rendering import Encoded

_NUMERATOR = {
    "output": (0, 0, 1),
    "instruction_and_output": (0, 1, 1),
    "all": (1, 1, 1),
    "output_diluted": (0, 0, 1),
}
_DENOMINATOR = {**_NUMERATOR, "output_diluted": (0, 1, 1), "weighted": (0, 0, 1)}


def label_weights(
    row: Encoded, loss: Loss, emphasis: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(numerator, denominator), float32 [length] each. `emphasis` [turns] multiplies the weight of
    single turns' outputs, in both."""
    of_kind = _NUMERATOR.get(loss.over, (0, loss.instruction_weight, 1))
    numerator = np.asarray(of_kind, dtype=np.float32)[row.kinds]
    denominator = np.asarray(_DENOMINATOR[loss.over], dtype=np.float32)[row.kinds]
    if emphasis is not None:
        factor = np.where(row.turns >= 0, emphasis[np.maximum(row.turns, 0)], 1.0)
        numerator, denominator = numerator * factor, denominator * factor
    numerator[0] = denominator[0] = 0
    return numerator.astype(np.float32), denominator.astype(np.float32)
