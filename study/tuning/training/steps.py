"""The steps of a training: which examples each step reads, and in which order.

In: a recipe's examples, its optimiser, a seed. Out: a torch data set whose elements are whole
steps, packed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from study.config.tuning.methods import Optimiser
from study.tuning.data.examples import LabelledExample
from study.tuning.training.packed_sequences import PackedRows, pack_step


class TrainingSteps(Dataset[list[PackedRows]]):
    """The batches of each step. Every epoch contains each example once, in an order that the seed
    decides."""

    def __init__(
        self,
        rows: Sequence[LabelledExample],
        optimiser: Optimiser,
        *,
        max_length: int,
        pad: int,
        seed: int,
    ) -> None:
        self.rows, self.optimiser, self.max_length, self.pad = rows, optimiser, max_length, pad
        rng = np.random.default_rng(seed)
        examples = math.ceil(len(rows) * optimiser.epochs)
        orders = [rng.permutation(len(rows)) for _ in range(math.ceil(optimiser.epochs))]
        self.order = np.concatenate(orders)[:examples]

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.optimiser.batch)

    def __getitem__(self, step: int) -> list[PackedRows]:
        size = self.optimiser.batch
        return pack_step(
            [self.rows[i] for i in self.order[step * size : (step + 1) * size]],
            max_length=self.max_length,
            tokens_at_once=self.optimiser.tokens_at_once,
            pad=self.pad,
            packing=self.optimiser.packing,
        )
