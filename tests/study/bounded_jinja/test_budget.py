"""Costs are counted for each rendering, from the sizes of values."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.utils import Namespace

from study.bounded_jinja.budget import (
    MAX_BITS,
    MAX_COST,
    MAX_DEPTH,
    MAX_SIZE,
    STEP,
    TemplateLimitError,
    budget,
    counted,
    nested_call,
    size_of,
    spend,
    spend_size,
)


def doubled(levels: int) -> list[Any]:
    value: list[Any] = [1]
    for _ in range(levels):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("abc", 3),
        (b"abcd", 4),
        (7, STEP),
        (None, STEP),
        (["ab", 1], 2 * STEP + 2),
        ({"key": "value"}, STEP + 8),
        (range(5), 6 * STEP),
        (doubled(3), STEP * (2**4 - 1 + 2**3)),
        (Namespace(a="text"), STEP + 4),
        (iter("abc"), STEP),
    ],
)
def test_sizes(value: Any, size: int) -> None:
    assert size_of(value) == size


def test_a_collection_that_shares_its_elements_is_as_large_as_it_prints() -> None:
    assert MAX_SIZE < size_of(doubled(60)) < 2 * MAX_SIZE
    ring: list[Any] = []
    ring.append(ring)
    assert size_of(ring) > MAX_SIZE
    with pytest.raises(TemplateLimitError, match="16,384 bits"):
        size_of([2**MAX_BITS])


def test_a_budget_ends() -> None:
    with budget():
        spend(MAX_COST)
        with pytest.raises(TemplateLimitError, match="1,048,576 steps"):
            spend(1)
        with budget():
            spend(MAX_COST)
    with pytest.raises(LookupError):
        spend(0)


def test_values_and_calls_have_limits() -> None:
    def call(depth: int) -> None:
        with nested_call():
            call(depth - 1) if depth else None

    with budget():
        spend_size(MAX_SIZE)
        with pytest.raises(TemplateLimitError, match="more than 8,388,608 characters"):
            spend_size(MAX_SIZE + 1)
        call(MAX_DEPTH - 1)
        call(MAX_DEPTH - 1)
        with pytest.raises(TemplateLimitError, match="100 calls"):
            call(MAX_DEPTH)


def test_elements_of_an_iterator_are_counted_as_they_are_read() -> None:
    with budget():
        assert list(counted(iter("ab"))) == ["a", "b"]
        with pytest.raises(TemplateLimitError):
            list(counted(iter(range(10**9))))
