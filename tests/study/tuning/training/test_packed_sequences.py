"""Packing: every token once, rows within their length, and no attention across documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from study.config.tuning.methods import Loss
from study.errors import StudyError
from study.results.run import Run
from study.tuning.training.packed_sequences import (
    attends_across_documents,
    check_packing,
    first_fit_decreasing,
    pack_step,
)
from tests.study.tuning.small_studies import changed, the_recipe, write_study
from tests.study.tuning.training.small_models import FAMILIES, model_of, rows_of


@given(lengths=st.lists(st.integers(1, 20), max_size=30))
def test_first_fit_decreasing(lengths: list[int]) -> None:
    rows = first_fit_decreasing(lengths, 20)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in row) <= 20 for row in rows)
    assert len(rows) <= 2 * sum(lengths) / 20 + 1


def test_the_longest_document_first() -> None:
    assert first_fit_decreasing([5, 3, 4, 2], 7) == [[0, 3], [2, 1]]


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("at_once", [64, 10_000])
def test_every_token_once_with_positions_from_zero(packing: bool, at_once: int) -> None:
    rows = rows_of(Loss())
    parts = pack_step(rows, max_length=160, tokens_at_once=at_once, pad=0, packing=packing)
    assert sum(part.tokens for part in parts) == sum(map(len, rows))
    for part in parts:
        assert part.ids.size <= at_once or len(part.ids) == 1
        for i in set(part.document[part.document >= 0].tolist()):
            inside = part.document == i
            np.testing.assert_array_equal(part.ids[inside], rows[i].encoded.ids)
            np.testing.assert_array_equal(part.positions[inside], np.arange(len(rows[i])))
            np.testing.assert_array_equal(part.numerator[inside], rows[i].numerator)
            np.testing.assert_array_equal(part.denominator[inside], rows[i].denominator)
        padding = part.document < 0
        assert not part.numerator[padding].any()
        assert not part.denominator[padding].any()
    if not packing:
        assert max(len(set(row[row >= 0])) for part in parts for row in part.document) == 1


@pytest.mark.parametrize("member", FAMILIES)
def test_documents_of_a_row_are_separate(member: str) -> None:
    assert not attends_across_documents(model_of(member), 200)


def test_packing_is_refused_where_documents_are_not_separate(tmp_path: Path) -> None:
    class IgnoresPositions(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
            return self.model(input_ids=input_ids)

        def get_input_embeddings(self) -> Any:
            return self.model.get_input_embeddings()

    model = IgnoresPositions(model_of(FAMILIES[0]))
    assert attends_across_documents(model, 200)
    run = Run.open(write_study(tmp_path / "packed"))
    with pytest.raises(StudyError, match=r"tuning.optimisers: packing.*IgnoresPositions"):
        check_packing(model, the_recipe(run), run.study)
    run = Run.open(write_study(tmp_path / "apart", changed(optimiser={"packing": False})))
    check_packing(model, the_recipe(run), run.study)
