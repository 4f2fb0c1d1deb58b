"""Bounds of the ways in which a regular expression is tried."""

from __future__ import annotations

import pytest

from study.bounded_jinja.backtracking import LIMIT, matching_cost


@pytest.mark.parametrize(
    ("pattern", "cost"),
    [
        ("abc", 11),
        ("[<>]", 11),
        (r"\s+", 11 * 11),
        ("a{2,4}", 11 * 5),
        ("a?", 11 * 2),
        ("a+b*", 11 * 11 * 11),
        ("ab|cd|ef", 11 * 3),
        ("(?:ab){3}", 11 * 4),
        ("(?=a+)b", 11 * 11),
        ("(a)(?(1)b|c?)", 11 * 3),
        ("(", 0),
        ("a{99999999999999999999}", 0),
    ],
)
def test_ways_are_counted(pattern: str, cost: int) -> None:
    assert matching_cost(pattern, 10) == cost


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|aa)*b", "(a?){30}", "(?:(a*)*)*", "(?>a+|b)+"])
def test_choices_that_repeat_are_beyond_every_limit(pattern: str) -> None:
    assert matching_cost(pattern, 100) == LIMIT


def test_two_repetitions_on_a_text_of_400_characters() -> None:
    assert matching_cost("a+b+", 400) < LIMIT
    assert matching_cost("a+b+", 410) == LIMIT
    assert matching_cost("a+", 8000) < LIMIT
