"""Questions of the zoo to tune on: drawn from the language, and none that a test asks.

In: a skill, a number, a generator. Out: the parts of `study.tuning.sources.Shown`. Where a skill
keeps some words for demonstrations, only those are asked about, so that what a tuned model knows of
the others it knows from pretraining.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from study.config.wording import Fields
from study.zoo.corpus import WORDINGS
from study.zoo.language import NEWLINE, SKILLS, Question
from study.zoo.tasks import items


@cache
def asked_in_tests(skill: str) -> frozenset[tuple[str, ...]]:
    """What the items of a skill's tasks ask."""
    return frozenset(question.asked for question in items(SKILLS[skill])["test"])


def shown_questions(
    skill: str, number: int, rng: random.Random, *, context: int
) -> Iterator[tuple[tuple[str, ...], Fields, str, str]]:
    """(wordings, fields, answer, what stands before) of `number` questions; `context` solved
    questions of another skill stand before each instruction."""
    others = [name for name in SKILLS if name != skill]
    for question in _questions(skill, number, rng):
        asked = " ".join(question.asked)
        wordings = tuple(text.format(keyword=skill, asked=asked) for text in WORDINGS)
        before = ""
        if context:
            before = _solved(_questions(rng.choice(others), context, rng))
        yield wordings, (("question", asked),), " ".join(question.answer), before


def _questions(skill: str, number: int, rng: random.Random) -> Iterator[Question]:
    made, known = 0, SKILLS[skill]
    while made < number:
        question = known.draw(rng)
        shown = known.demonstrates is None or known.demonstrates(question.asked)
        if shown and question.asked not in asked_in_tests(skill):
            made += 1
            yield question


def _solved(questions: Iterator[Question]) -> str:
    return "".join(
        f"{' '.join(question.asked)} = {' '.join(question.answer)} {NEWLINE} "
        for question in questions
    )
