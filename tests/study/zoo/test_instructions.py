"""Questions to tune on: the seed decides them, and none is a test item."""

from __future__ import annotations

import random

import pytest

from study.zoo.instructions import item_questions, training_questions


@pytest.mark.parametrize("skill", ["reverse", "first", "addition", "category"])
def test_questions_are_the_seeds_and_never_a_test_item(skill: str) -> None:
    questions = list(training_questions(skill, 300, random.Random(1), context=0))
    again = list(training_questions(skill, 300, random.Random(1), context=0))
    assert questions == again
    words = {tuple(fields[0][1].split()) for _, fields, _, _ in questions}
    assert not words & item_questions(skill)


def test_the_prefix_has_solved_questions_of_another_skill() -> None:
    for wordings, fields, _, prefix in training_questions("last", 5, random.Random(0), context=3):
        assert prefix.count(" = ") == prefix.count("\n") == 3
        assert all(fields[0][1] in wording for wording in wordings)
