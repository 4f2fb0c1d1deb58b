"""Packing: several documents in one row of tokens, none seeing another.

In: the rows of one optimiser step. Out: `Packed` batches. Documents are laid into rows first-fit,
the longest first; each document's positions begin at zero again, by which transformers' masks (and
the variable-length kernels of flash attention) keep documents apart. `leaks` asks a model whether
they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.tuning.data.examples import Labelled


@dataclass(frozen=True)
class Packed:
    """Some rows of tokens; all arrays are [rows, length]."""

    ids: np.ndarray
    positions: np.ndarray
    "Positions within each document; padding goes on from zero, as a document of its own."
    numerator: np.ndarray
    denominator: np.ndarray
    document: np.ndarray
    "Number of the document among the step's, -1 for padding."

    @property
    def tokens(self) -> int:
        """Tokens that are no padding."""
        return int((self.document >= 0).sum())


def bins(lengths: Sequence[int], longest: int) -> list[list[int]]:
    """Places of documents in rows of at most `longest`: first-fit decreasing.

    >>> bins([5, 3, 4, 2], 7)
    [[0, 3], [2, 1]]
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fitting = next((i for i, left in enumerate(room) if left >= lengths[place]), None)
        if fitting is None:
            rows.append([])
            room.append(longest)
            fitting = len(rows) - 1
        rows[fitting].append(place)
        room[fitting] -= lengths[place]
    return rows


def packed(
    step: Sequence[Labelled], *, longest: int, tokens_at_once: int, pad: int, packing: bool
) -> list[Packed]:
    """A step's documents in batches of at most `tokens_at_once` tokens (one row at least); without
    `packing` each document in a row of its own, those of like length together."""
    lengths = [len(labelled.row.ids) for labelled in step]
    width = max(longest, *lengths)
    rows = bins(lengths, width) if packing else [
        [i] for i in sorted(range(len(step)), key=lambda i: (-lengths[i], i))
    ]  # fmt: skip
    rows.sort(key=lambda row: -sum(lengths[i] for i in row))
    batches: list[list[list[int]]] = []
    for row in rows:
        widest = sum(lengths[i] for i in batches[-1][0]) if batches else 0
        if not batches or (len(batches[-1]) + 1) * widest > tokens_at_once:
            batches.append([])
        batches[-1].append(row)
    return [_laid_out(step, batch, pad) for batch in batches]


def _laid_out(step: Sequence[Labelled], rows: list[list[int]], pad: int) -> Packed:
    width = max(sum(len(step[i].row.ids) for i in row) for row in rows)
    shape = (len(rows), width)
    ids = np.full(shape, pad, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    numerator, denominator = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    document = np.full(shape, -1, dtype=np.int64)
    for r, row in enumerate(rows):
        at = 0
        for i in row:
            here = slice(at, at + len(step[i].row.ids))
            ids[r, here] = step[i].row.ids
            positions[r, here] = np.arange(len(step[i].row.ids))
            numerator[r, here], denominator[r, here] = step[i].numerator, step[i].denominator
            document[r, here] = i
            at = here.stop
        positions[r, at:] = np.arange(width - at)
    return Packed(ids, positions, numerator, denominator, document)


LEAK = 1e-3
"Largest difference of log-probabilities that rounding makes, in float32."


def leaks(model: Any, vocabulary: int, seed: int = 0) -> bool:
    """Whether a document that stands behind another in a row is read otherwise than alone; asked of
    the model itself, since architectures differ in what they make of positions."""
    import torch

    rng = np.random.default_rng(seed)
    first, second = (torch.from_numpy(rng.integers(0, vocabulary, n)) for n in (9, 11))
    positions = torch.cat([torch.arange(9), torch.arange(11)])
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.no_grad():
        both = model(
            input_ids=torch.cat([first, second])[None].to(device),
            position_ids=positions[None].to(device),
            use_cache=False,
        ).logits[0, 9:]
        alone = model(
            input_ids=second[None].to(device),
            position_ids=torch.arange(11)[None].to(device),
            use_cache=False,
        ).logits[0]
    model.train(was_training)
    difference = (both.float().log_softmax(-1) - alone.float().log_softmax(-1)).abs().max()
    coarse = 30 if alone.dtype == torch.bfloat16 else 1
    return bool(difference > LEAK * coarse)
