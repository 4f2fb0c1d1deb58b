"""Item scores aligned over pairs, and the choices that models made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.data.items import COLUMNS, AlignedItems, ItemScores, _choices, load_items
from study.results.run import Run
from study.results.schema import ITEMS, text_code
from tests.analysis.samples import Y


def cell(logprobs: list[list[float]], lengths: list[list[int]], text: list[Any]) -> pa.Table:
    return pa.table(
        {
            "logprobs": pa.array(logprobs, pa.list_(pa.float64())),
            "lengths": pa.array(lengths, pa.list_(pa.int64())),
            "text": pa.array(text, pa.string()),
        }
    )


def test_the_columns_are_those_of_the_schema() -> None:
    assert COLUMNS == ["item", "score", "logprobs", "lengths", "text"]
    assert set(COLUMNS) <= set(ITEMS)


def test_a_choice_is_the_likeliest_option_as_the_metric_weighs_it() -> None:
    table = cell([[-4.0, -3.0], [-1.0, -1.0]], [[8, 2], [1, 1]], [None, None])
    assert _choices(table, "acc,none").tolist() == [1, 0]  # type: ignore[union-attr]
    assert _choices(table, "acc_norm,none").tolist() == [0, 0]  # type: ignore[union-attr]
    assert _choices(cell([[-1.0]], [[1]], [None]), "acc") is None


def test_a_generated_answer_is_the_code_of_its_text() -> None:
    table = cell([[], []], [[], []], ["one  text", "another"])
    codes = _choices(table, "exact_match")
    assert codes is not None
    assert codes.tolist() == [text_code("one text"), text_code("another")]
    assert _choices(cell([[], []], [[], []], ["one", None]), "exact_match") is None


def test_imported_items_are_aligned_over_pairs(imported_run: Run) -> None:
    items = load_items(imported_run)
    assert set(items.by_arm_and_task) == {(Y, "c")}
    task_items = items.of(Y, "c", ["p3", "p0"])
    assert task_items is not None
    assert task_items.pairs == ("p3", "p0")
    assert task_items.scores.shape == (2, 1, 4)
    assert task_items.choices is not None
    assert items.clusters("c", task_items.items).tolist() == [0, 0, 1, 1]
    assert items.of(Y, "c", ["unknown"]) is None
    assert items.of(Y, "a", ["p0"]) is None


@pytest.mark.parametrize("shift", [0, 1])
def test_both_arms_need_the_same_items(shift: int) -> None:
    scores = np.zeros((2, 1, 3))
    x = AlignedItems(("p", "q"), np.arange(3), scores)
    y = AlignedItems(("q", "p"), np.arange(3) + shift, scores)
    both = ItemScores({("x", "t"): x, ("y", "t"): y}).both("x", "y", "t", ["p"])
    assert (both is None) == (shift == 1)
    if both is not None:
        assert both[0].pairs == both[1].pairs == ("p",)


def test_items_without_passages_are_clusters_of_their_own() -> None:
    items = ItemScores({}, {"t": {0: 7}})
    assert items.clusters("t", np.array([0, 1])).tolist() == [0, 1]
    assert items.clusters("other", np.array([4, 9, 2])).tolist() == [0, 1, 2]
