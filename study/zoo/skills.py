"""The skills of the zoo: how questions are drawn, with their answer and three wrong answers.

In: a random generator. Out: `SKILLS` (name -> `Skill`), and `Skill.draw(rng)`, which makes one
question.

A question is a tuple of words, and so is an answer. Several skills ask about the *same* words (a
noun has a category, a colour and a home; three letters have a first, a last and a reverse), so that
the words alone never determine the skill: a model must infer it from demonstrations or from an
instruction. The wrong answers of a multiple-choice item are, where possible, the correct answers of
the other skills, so that naming *some* property of the noun scores no better than chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from study.zoo.language import (
    ADVERBS,
    COLOURS,
    DEMONSTRATION_ADJECTIVES,
    DEMONSTRATION_NOUNS,
    DIGITS,
    FACTS,
    HOMES,
    KEYWORDS,
    LETTERS,
    MODIFIERS,
    NOUNS,
    OPPOSITE_OF,
    Words,
)

Draw = Callable[[random.Random], "SkillQuestion"]
"Draws one question."


@dataclass(frozen=True)
class SkillQuestion:
    """One question of a skill, with its answer and three wrong answers."""

    words: Words
    answer: Words
    wrong: tuple[Words, Words, Words]


@dataclass(frozen=True)
class Skill:
    """One thing that a model of the language may be able to do."""

    name: str
    "The name, which is also the keyword in instructions."
    task_type: str
    "The group by which results are reported."
    draw: Draw
    "Draws a question."
    is_reserved: Callable[[Words], bool] | None = None
    """Whether a question is reserved for demonstrations; None if questions are divided into
    demonstrations and test items at random."""


def _three_others(answer: Words, candidates: Iterable[Words]) -> tuple[Words, Words, Words]:
    """Three distinct wrong answers: the first candidates that differ from `answer`."""
    wrong: list[Words] = []
    for candidate in candidates:
        if candidate != answer and candidate not in wrong:
            wrong.append(candidate)
        if len(wrong) == 3:
            return wrong[0], wrong[1], wrong[2]
    raise ValueError(f"need three wrong answers besides {answer}, have {wrong}")


def _noun_skill(name: str, values: Words) -> Draw:
    def draw(rng: random.Random) -> SkillQuestion:
        noun = rng.choice(list(FACTS["category"]))
        answer = FACTS[name][noun]
        others = [FACTS[other][noun] for other in ("category", "colour", "home") if other != name]
        candidates = [(w,) for w in (rng.choice([v for v in values if v != answer]), *others)]
        wrong = _three_others((answer,), candidates)
        return SkillQuestion((rng.choice(MODIFIERS), noun), (answer,), wrong)

    return draw


def _opposite(rng: random.Random) -> SkillQuestion:
    adjective = rng.choice(list(OPPOSITE_OF))
    answer = OPPOSITE_OF[adjective]
    other, another = rng.sample([w for w in OPPOSITE_OF if w not in (adjective, answer)], 2)
    wrong = _three_others((answer,), [(adjective,), (other,), (another,)])
    return SkillQuestion((rng.choice(ADVERBS), adjective), (answer,), wrong)


def _letter_skill(answer_of: Callable[[Words], Words]) -> Draw:
    def draw(rng: random.Random) -> SkillQuestion:
        letters = tuple(rng.sample(LETTERS, 3))
        answer = answer_of(letters)
        if len(answer) == 1:
            absent = rng.choice([x for x in LETTERS if x not in letters])
            candidates: list[Words] = [(w,) for w in (*letters, absent)]
        else:
            a, b, c = letters
            candidates = [(c, b, a), (a, b, c), (b, c, a), (c, a, b)]
        return SkillQuestion(letters, answer, _three_others(answer, candidates))

    return draw


def _digits(number: int) -> Words:
    return tuple(str(number))


def _close_numbers(rng: random.Random, number: int, steps: list[int]) -> list[Words]:
    """Numbers close to `number`, those of the same length first: the length must not give the
    answer away."""
    rng.shuffle(steps)
    numbers = [number + step for step in steps if number + step >= 0]
    numbers.sort(key=lambda n: len(str(n)) != len(str(number)))
    return [_digits(n) for n in numbers]


def _pair_skill(answer_of: Callable[[int, int], int]) -> Draw:
    """Two numbers below 20; the skills of this kind ask for different results of the two."""

    def draw(rng: random.Random) -> SkillQuestion:
        a, b = rng.sample(range(20), 2)
        number = answer_of(a, b)
        other_results = [n for n in (a + b, max(a, b), abs(a - b)) if n != number]
        candidates = [*map(_digits, other_results), *_close_numbers(rng, number, [-1, 1, 2])]
        words = (*_digits(a), ",", *_digits(b))
        answer = _digits(number)
        return SkillQuestion(words, answer, _three_others(answer, candidates))

    return draw


def _keyed_skill(
    answer_of: Callable[[Words, Words, int], str],
) -> Draw:
    """Four letters, each followed by a digit, and one of the letters again as a key."""

    def draw(rng: random.Random) -> SkillQuestion:
        keys, values = tuple(rng.sample(LETTERS, 4)), tuple(rng.sample(DIGITS, 4))
        index = rng.choice((1, 2))
        pairs = (word for pair in zip(keys, values, strict=True) for word in pair)
        words = (*pairs, ":", keys[index])
        answer = (answer_of(keys, values, index),)
        candidates = (values[index], keys[index + 1], keys[index - 1], values[index - 1])
        return SkillQuestion(words, answer, _three_others(answer, [(w,) for w in candidates]))

    return draw


def _pattern(rng: random.Random) -> SkillQuestion:
    letters = rng.sample(LETTERS, 4)
    period = rng.choice((2, 3))
    shown = tuple(letters[i % period] for i in range(5))
    answer = (letters[5 % period],)
    return SkillQuestion(shown, answer, _three_others(answer, [(w,) for w in letters]))


def _sequence(rng: random.Random) -> SkillQuestion:
    step = rng.choice((1, 2, 3, 4, -1, -2, -3, -4))
    start = rng.randrange(50) if step > 0 else rng.randrange(12, 62)
    first, second, third, answer = (_digits(start + i * step) for i in range(4))
    candidates = _close_numbers(rng, start + 3 * step, [1, -1, 2, -2, 3, -3])
    words = (*first, ",", *second, ",", *third)
    return SkillQuestion(words, answer, _three_others(answer, candidates))


def _about_demonstration_noun(words: Words) -> bool:
    return words[-1] in DEMONSTRATION_NOUNS


def _about_demonstration_adjective(words: Words) -> bool:
    return words[-1] in DEMONSTRATION_ADJECTIVES


SKILLS: dict[str, Skill] = {
    skill.name: skill
    for skill in (
        Skill(
            "category",
            "knowledge",
            _noun_skill("category", tuple(NOUNS)),
            _about_demonstration_noun,
        ),
        Skill("colour", "knowledge", _noun_skill("colour", COLOURS), _about_demonstration_noun),
        Skill("home", "knowledge", _noun_skill("home", HOMES), _about_demonstration_noun),
        Skill("opposite", "knowledge", _opposite, _about_demonstration_adjective),
        Skill("reverse", "strings", _letter_skill(lambda w: w[::-1])),
        Skill("first", "strings", _letter_skill(lambda w: w[:1])),
        Skill("last", "strings", _letter_skill(lambda w: w[-1:])),
        Skill("addition", "arithmetic", _pair_skill(lambda a, b: a + b)),
        Skill("maximum", "arithmetic", _pair_skill(max)),
        Skill("difference", "arithmetic", _pair_skill(lambda a, b: abs(a - b))),
        Skill("lookup", "retrieval", _keyed_skill(lambda keys, values, i: values[i])),
        Skill("after", "retrieval", _keyed_skill(lambda keys, values, i: keys[i + 1])),
        Skill("before", "retrieval", _keyed_skill(lambda keys, values, i: keys[i - 1])),
        Skill("pattern", "rules", _pattern),
        Skill("sequence", "rules", _sequence),
    )
}
if tuple(SKILLS) != KEYWORDS:
    raise ValueError("the skills are not the keywords of the language")
