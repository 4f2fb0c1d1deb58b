"""Packing: several documents in one row of tokens, without attention between them.

In: the examples of one optimiser step. Out: `PackedRows`. Documents are assigned to rows first-fit,
the longest first. The positions of each document begin at zero, by which transformers' attention
masks (and the variable-length kernels of flash attention) separate documents;
`attends_across_documents` checks whether a model's do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.tuning.data.examples import LabelledExample

MAX_ROUNDING = 1e-3
"Largest difference between log-probabilities in float32 that is due to rounding."
BFLOAT16_FACTOR = 30
"Factor on `MAX_ROUNDING` for models in bfloat16."


@dataclass(frozen=True)
class PackedRows:
    """Rows of tokens for one forward pass; all arrays are [rows, length]."""

    ids: np.ndarray
    positions: np.ndarray
    "Positions within each document; padding is numbered from zero, like a document."
    numerator: np.ndarray
    denominator: np.ndarray
    document: np.ndarray
    "Index of the document in its step; −1 for padding."

    @property
    def tokens(self) -> int:
        """Number of tokens without padding."""
        return int((self.document >= 0).sum())


def first_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Indices of documents in rows of at most `capacity` tokens.

    >>> first_fit_decreasing([5, 3, 4, 2], 7)
    [[0, 3], [2, 1]]
    """
    rows: list[list[int]] = []
    free: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        row = next((i for i, space in enumerate(free) if space >= lengths[index]), None)
        if row is None:
            rows.append([])
            free.append(capacity)
            row = len(rows) - 1
        rows[row].append(index)
        free[row] -= lengths[index]
    return rows


def pack_step(
    examples: Sequence[LabelledExample],
    *,
    max_length: int,
    tokens_at_once: int,
    pad: int,
    packing: bool,
) -> list[PackedRows]:
    """The documents of a step in batches of at most `tokens_at_once` tokens (but at least one row).

    Without `packing` each document has a row of its own, with documents of similar length together.
    """
    lengths = [len(example) for example in examples]
    if packing:
        rows = first_fit_decreasing(lengths, max(max_length, *lengths))
    else:
        rows = [[i] for i in sorted(range(len(examples)), key=lambda i: (-lengths[i], i))]
    rows.sort(key=lambda row: -sum(lengths[i] for i in row))
    batches: list[list[list[int]]] = []
    for row in rows:
        width = sum(lengths[i] for i in batches[-1][0]) if batches else 0
        if not batches or (len(batches[-1]) + 1) * width > tokens_at_once:
            batches.append([])
        batches[-1].append(row)
    return [_lay_out(examples, batch, pad) for batch in batches]


def _lay_out(examples: Sequence[LabelledExample], rows: list[list[int]], pad: int) -> PackedRows:
    width = max(sum(len(examples[i]) for i in row) for row in rows)
    shape = (len(rows), width)
    ids = np.full(shape, pad, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    numerator, denominator = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    document = np.full(shape, -1, dtype=np.int64)
    for r, row in enumerate(rows):
        end = 0
        for i in row:
            example = examples[i]
            columns = slice(end, end + len(example))
            ids[r, columns] = example.encoded.ids
            positions[r, columns] = np.arange(len(example))
            numerator[r, columns] = example.numerator
            denominator[r, columns] = example.denominator
            document[r, columns] = i
            end = columns.stop
        positions[r, end:] = np.arange(width - end)
    return PackedRows(ids, positions, numerator, denominator, document)


def attends_across_documents(model: Any, vocabulary: int, seed: int = 0) -> bool:
    """Whether the logits of a document change when another document precedes it in its row.

    The model itself is tested, with random tokens, since architectures use positions differently.
    """
    import torch

    rng = np.random.default_rng(seed)
    first, second = (torch.from_numpy(rng.integers(0, vocabulary, n)) for n in (9, 11))
    positions = torch.cat([torch.arange(9), torch.arange(11)])
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.no_grad():
        packed = model(
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
    difference = (packed.float().log_softmax(-1) - alone.float().log_softmax(-1)).abs().max()
    factor = BFLOAT16_FACTOR if alone.dtype == torch.bfloat16 else 1
    return bool(difference > MAX_ROUNDING * factor)


def check_packing(model: Any, recipe: Recipe, study: Study) -> None:
    """StudyError if a recipe packs documents for a model that attends across them."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    if recipe.optimiser.packing and attends_across_documents(model, vocabulary):
        raise study.error(
            "tuning.optimisers: packing",
            found=f"{type(model).__name__}, which attends across the documents of a row",
            expected="an architecture whose attention mask separates them",
            do="Set `packing: false`",
        )
