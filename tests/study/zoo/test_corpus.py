"""Training data: rows of documents, and instructions with loss on answers alone."""

from __future__ import annotations

import random

import numpy as np

from study.zoo.corpus import TUNING_ROW_LENGTH, document, pretraining_rows, tuning_rows
from study.zoo.language import ID_OF, NEWLINE, WORDS
from study.zoo.skills import SKILLS


def test_documents_begin_with_bos_and_a_title_names_the_skill() -> None:
    rng = random.Random(0)
    for _ in range(50):
        assert ID_OF["reverse"] not in document(rng, "reverse", 0.0, 128)
        titled = document(rng, "reverse", 1.0, 128)
        assert titled[0] == ID_OF["<bos>"]
        assert ID_OF["reverse"] in titled[1:4]


def test_rows_are_cut_from_the_same_stream() -> None:
    how = {"seed": 3, "weights": dict.fromkeys(SKILLS, 1.0), "titled_share": 0.1}
    rows = pretraining_rows(**how, rows=8, length=64)  # type: ignore[arg-type]
    assert rows.shape == (8, 64)
    assert rows.dtype == np.int16
    assert rows.max() < len(WORDS)
    assert ID_OF[NEWLINE] in rows


def test_tuning_takes_loss_on_the_answer_alone() -> None:
    ids, labels = tuning_rows(seed=1, skills=("reverse",), rows=50)
    assert ids.shape == labels.shape == (50, TUNING_ROW_LENGTH)
    for row, marked in zip(ids, labels, strict=True):
        positions = np.flatnonzero(marked != -100)
        assert list(row[positions]) == list(marked[positions])
        assert len(positions) == 4
        assert row[positions[-1]] == ID_OF["<eos>"]
        assert row[positions[0] - 1] == ID_OF["<|assistant|>"]
