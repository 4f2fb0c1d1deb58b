"""Label masks: how much loss each token carries, and what the mean is taken over.

In: the kinds of a sequence's tokens (rendering.py). Out: two weights for each token. The loss of a
row is

    sum_t numerator[t] * -log p(x_t | x_<t)  /  sum_t denominator[t]

and the first token, which nothing precedes, has no weight.

    mask                     numerator              denominator
                             tmpl.  instr.  output  tmpl.  instr.  output
    output                     0      0       1       0      0       1    instruction tuning (IT)
    instruction_and_output     0      1       1       0      1       1    instruction modelling (IM)
    all                        1      1       1       1      1       1    language modelling
    weighted, w                0      w       1       0      0       1    w = 0 is IT
    output_diluted             0      0       1       0      1       1    IT with the output weights
                                                                          of IM: a control for IM

IM: Shi et al. (2024), equation 2. In `weighted`, output tokens have the weight of IT whatever w is,
so that loss on instructions is added and none is taken away. To add a mask: one entry in
`LABEL_MASKS`, and its name in `study.config.tuning.methods.LabelMask`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from study.config.tuning.methods import LabelMask, Loss
from study.tuning.data.rendering import EncodedConversation

Weights = tuple[float, float, float]
"Weights of template, instruction and output tokens, in the order of `rendering.KINDS`."


class MaskWeights(NamedTuple):
    """The weights that a label mask gives to each kind of token."""

    numerator: Weights
    denominator: Weights


def _weighted(loss: Loss) -> MaskWeights:
    assert loss.instruction_weight is not None, "checked when the study file is read"
    return MaskWeights((0, loss.instruction_weight, 1), (0, 0, 1))


def _constant(numerator: Weights, denominator: Weights) -> Callable[[Loss], MaskWeights]:
    return lambda loss: MaskWeights(numerator, denominator)


LABEL_MASKS: dict[LabelMask, Callable[[Loss], MaskWeights]] = {
    "output": _constant((0, 0, 1), (0, 0, 1)),
    "instruction_and_output": _constant((0, 1, 1), (0, 1, 1)),
    "all": _constant((1, 1, 1), (1, 1, 1)),
    "weighted": _weighted,
    "output_diluted": _constant((0, 0, 1), (0, 1, 1)),
}


def label_weights(
    encoded: EncodedConversation, loss: Loss, emphasis: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(numerator, denominator), float32 [length] each.

    `emphasis` [turns] multiplies both weights of the tokens of each turn.
    """
    mask = LABEL_MASKS[loss.over](loss)
    numerator = np.asarray(mask.numerator, dtype=np.float32)[encoded.kinds]
    denominator = np.asarray(mask.denominator, dtype=np.float32)[encoded.kinds]
    if emphasis is not None:
        factor = np.where(encoded.turns >= 0, emphasis[np.maximum(encoded.turns, 0)], 1.0)
        numerator, denominator = numerator * factor, denominator * factor
    numerator[0] = denominator[0] = 0
    return numerator.astype(np.float32), denominator.astype(np.float32)
