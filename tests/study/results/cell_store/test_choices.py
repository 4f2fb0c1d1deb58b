"""Choices: equal numbers for equal answers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from study.results.cell_store.choices import choices_of
from study.results.schema import text_code


def responses(
    logprobs: list[list[float]], characters: list[list[int]], texts: list[list[str]]
) -> pa.Table:
    return pa.table(
        {
            "logprobs": pa.array(logprobs, pa.list_(pa.float64())),
            "characters": pa.array(characters, pa.list_(pa.int64())),
            "texts": pa.array(texts, pa.list_(pa.string())),
        }
    )


def test_a_choice_is_the_likeliest_option_as_the_metric_weighs_it() -> None:
    table = responses([[-4.0, -3.0], [-1.0, -1.0]], [[8, 2], [1, 1]], [[], []])
    assert choices_of(table, "acc,none").tolist() == [1, 0]  # type: ignore[union-attr]
    assert choices_of(table, "acc_norm,none").tolist() == [0, 0]  # type: ignore[union-attr]
    assert choices_of(responses([[-1.0]], [[1]], [[]]), "acc") is None


def test_a_generated_answer_is_the_code_of_its_first_text() -> None:
    table = responses([[], []], [[], []], [["one  text", "again"], ["another"]])
    codes = choices_of(table, "exact_match")
    assert codes is not None
    assert codes.tolist() == [text_code("one text"), text_code("another")]
    assert choices_of(responses([[], []], [[], []], [["one"], []]), "exact_match") is None


def test_items_with_different_numbers_of_options() -> None:
    table = responses(
        [[-3.0, -2.0, -1.0], [-1.0, -2.0], [-5.0, -1.0, -7.0, -1.0]],
        [[1, 1, 1], [1, 1], [1, 1, 1, 1]],
        [[], [], []],
    )
    choices = choices_of(table, "acc")
    assert choices is not None
    assert choices.tolist() == [2, 0, 1]
    assert choices.dtype == np.int64
    empty = responses([[-6.0, -4.0], [-1.0, -9.0]], [[3, 0], [1, 1]], [[], []])
    assert choices_of(empty, "acc_norm").tolist() == [0, 0]  # type: ignore[union-attr]
    short = responses([[-3.0, -4.0]], [[1, 2]], [[]])
    assert choices_of(short, "acc_norm").tolist() == [1]  # type: ignore[union-attr]


def test_items_without_options_or_text_have_no_choice() -> None:
    assert choices_of(responses([[-1.0, -2.0], []], [[1, 1], []], [[], []]), "acc") is None
    table = pa.table(
        {
            "logprobs": pa.array([[]], pa.list_(pa.float64())),
            "characters": pa.array([[]], pa.list_(pa.int64())),
            "texts": pa.array([[None]], pa.list_(pa.string())),
        }
    )
    assert choices_of(table, "exact_match") is None


def test_a_slice_of_a_table_has_its_own_choices() -> None:
    table = responses([[], [], []], [[], [], []], [["a"], ["b", "c"], ["d"]])
    codes = choices_of(table.slice(1), "exact_match")
    assert codes is not None
    assert codes.tolist() == [text_code("b"), text_code("d")]
