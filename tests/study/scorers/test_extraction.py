"""Answers extracted from responses: one rule for all arms, and the two rules as released."""

from __future__ import annotations

import pytest

from study.config.wording import SOURCE, ZOO
from study.scorers.extraction import extract_answer, extract_as_released, extract_same

OPTIONS = ["Rome", "Paris"]
RESPONSES = [
    ("Paris.\nQuestion 2", "Paris"),
    ("\n\n 'Paris' ", "Paris"),
    ("Answer Solution: Paris\nmore", "Paris"),
    ("Example 1:\nAnswer 1: Rome\n\nSolution:\nAnswer Solution: Paris\nEND_EXAMPLES", "Paris"),
    ("", ""),
    ("\n \n", ""),
    ("Answer Solution:", ""),
]


@pytest.mark.parametrize(("response", "answer"), RESPONSES)
def test_the_rule_for_all_arms(response: str, answer: str) -> None:
    assert extract_same(response, SOURCE) == answer


def test_the_end_mark_is_not_part_of_an_answer() -> None:
    assert extract_same("question a answer : b ;", ZOO) == "b"
    assert extract_same("Paris END_EXAMPLES more", SOURCE) == "Paris"


def test_the_released_rules_favour_the_base_model() -> None:
    def extracted(response: str, *, tuned: bool) -> str:
        return extract_as_released(response, SOURCE, tuned=tuned, options=OPTIONS)

    assert extracted("It is Paris, I think", tuned=False) == "Paris"
    assert extracted("It is Paris, I think", tuned=True) == ""
    assert extracted("Answer Solution: Paris", tuned=True) == "Paris"
    assert extracted("Answer Solution: Paris", tuned=False) == "Paris"
    assert extracted("It is Berlin.", tuned=False) == "It is Berlin"
    assert extract_same("It is Paris, I think", SOURCE) == "It is Paris, I think"


def test_the_rule_is_chosen_by_name() -> None:
    text = "It is Paris, I think"
    assert extract_answer(text, SOURCE, "same", "tuned", OPTIONS) == text
    assert extract_answer(text, SOURCE, "as_released", "tuned", OPTIONS) == ""
    assert extract_answer(text, SOURCE, "as_released", "base", OPTIONS) == "Paris"
