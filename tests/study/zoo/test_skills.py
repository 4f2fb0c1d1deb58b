"""Questions of every skill."""

from __future__ import annotations

import random

import pytest

from study.zoo.language import WORDS
from study.zoo.skills import SKILLS


def test_every_question_has_one_answer_and_three_others() -> None:
    for skill in SKILLS.values():
        rng = random.Random(f"test {skill.name}")
        for _ in range(200):
            question = skill.draw(rng)
            choices = {question.answer, *question.wrong}
            assert len(choices) == 4, (skill.name, question)
            assert {word for choice in choices for word in choice} <= set(WORDS)


@pytest.mark.parametrize(
    ("skill", "question", "answer"),
    [
        ("reverse", "a b c", "c b a"),
        ("first", "a b c", "a"),
        ("last", "a b c", "c"),
    ],
)
def test_letters(skill: str, question: str, answer: str) -> None:
    rng = random.Random(0)
    for _ in range(20_000):
        drawn = SKILLS[skill].draw(rng)
        if " ".join(drawn.words) == question:
            assert " ".join(drawn.answer) == answer
            return
    raise AssertionError("the question was never drawn")


def test_numbers() -> None:
    rng = random.Random(0)
    results = {
        "addition": lambda a, b: a + b,
        "maximum": max,
        "difference": lambda a, b: abs(a - b),
    }
    for name, result in results.items():
        for _ in range(50):
            question = SKILLS[name].draw(rng)
            a, b = (int("".join(number.split())) for number in " ".join(question.words).split(","))
            assert int("".join(question.answer)) == result(a, b)


def test_keys_and_their_neighbours() -> None:
    rng = random.Random(0)
    for name, offset in (("lookup", 1), ("after", 2), ("before", -2)):
        for _ in range(50):
            question = SKILLS[name].draw(rng)
            place = question.words.index(question.words[-1])
            assert question.answer == (question.words[place + offset],)
