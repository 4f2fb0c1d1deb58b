"""Questions of the zoo to tune on, none of which is a test item.

In: a skill, a number, a random generator. Out: wordings, fields, answer and prefix of each
question. If a skill reserves words for demonstrations, only they are asked about, so that what a
tuned model knows about other words comes from pretraining.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from study.config.wording import Fields
from study.zoo.corpus import WORDINGS
from study.zoo.language import NEWLINE, Words
from study.zoo.skills import SKILLS, SkillQuestion
from study.zoo.tasks import items


@cache
def item_questions(skill: str) -> frozenset[Words]:
    """The questions of a skill's test items."""
    return frozenset(question.words for question in items(SKILLS[skill])["test"])


def training_questions(
    skill: str, number: int, rng: random.Random, *, context: int
) -> Iterator[tuple[tuple[str, ...], Fields, str, str]]:
    """Draw (wordings, fields, answer, prefix) of `number` questions.

    The prefix consists of `context` solved questions of another skill.
    """
    others = [name for name in SKILLS if name != skill]
    for question in _draw(skill, number, rng):
        text = " ".join(question.words)
        wordings = tuple(wording.format(keyword=skill, asked=text) for wording in WORDINGS)
        prefix = ""
        if context:
            prefix = _solved(_draw(rng.choice(others), context, rng))
        yield wordings, (("question", text),), " ".join(question.answer), prefix


def _draw(name: str, number: int, rng: random.Random) -> Iterator[SkillQuestion]:
    drawn, skill = 0, SKILLS[name]
    while drawn < number:
        question = skill.draw(rng)
        allowed = skill.is_reserved is None or skill.is_reserved(question.words)
        if allowed and question.words not in item_questions(name):
            drawn += 1
            yield question


def _solved(questions: Iterator[SkillQuestion]) -> str:
    return "".join(
        f"{' '.join(question.words)} = {' '.join(question.answer)} {NEWLINE} "
        for question in questions
    )
