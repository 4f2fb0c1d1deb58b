"""The synthetic language of the zoo: its words, its facts, and the skills its speakers may have.

In: nothing but seeds. Out: `WORDS` (the vocabulary, in the order of token ids), `SKILLS`
(name -> `Skill`) and `Skill.draw(rng)`, which makes one question with its answer and wrong answers.

A question is a tuple of words; so is an answer. Several skills ask about the *same* words (a noun
has a category, a colour and a home; three letters have a first, a last and a reverse), so that the
words alone never tell which skill is wanted: a model must learn it from demonstrations or from an
instruction. The wrong answers of a multiple-choice item are, where possible, the right answers of
the other skills, so that naming *some* property of the noun is worth no more than chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Words = tuple[str, ...]

PAD, BOS, EOS, UNK, USER, ASSISTANT, SYSTEM = (
    "<pad>", "<bos>", "<eos>", "<unk>", "<|user|>", "<|assistant|>", "<|system|>",
)  # fmt: skip
SPECIAL = (PAD, BOS, EOS, UNK, USER, ASSISTANT, SYSTEM)
NEWLINE = "\n"

NOUNS: dict[str, Words] = {
    "animal": tuple("fox crow bee wolf trout horse frog goat owl snake mouse lion".split()),
    "plant": tuple("oak fern moss rose wheat ivy pine tulip clover reed maple thistle".split()),
    "tool": tuple("hammer saw chisel drill spade axe pliers rake file wrench trowel anvil".split()),
    "food": tuple("bread cheese soup cake rice stew butter honey pasta pie jam porridge".split()),
    "vehicle": tuple("cart boat train sled truck canoe ferry bus tram glider raft wagon".split()),
    "garment": tuple("coat hat scarf glove boot shirt sock cloak belt robe vest apron".split()),
    "instrument": tuple(
        "drum flute harp violin horn lute piano bell cello organ banjo oboe".split()
    ),
    "mineral": tuple(
        "quartz iron gold salt chalk slate copper marble tin granite flint jade".split()
    ),
}
COLOURS: Words = tuple("red blue green yellow white black brown grey".split())
HOMES: Words = tuple("forest river barn cellar harbour attic valley market".split())
OPPOSITES: tuple[tuple[str, str], ...] = tuple(
    (a, b)
    for a, b in (
        pair.split("/")
        for pair in (
            "hot/cold big/small fast/slow high/low hard/soft light/dark rich/poor young/aged "
            "wet/dry full/empty loud/quiet sharp/blunt thick/thin wide/narrow deep/shallow "
            "strong/weak clean/dirty early/late near/far rough/smooth brave/timid sweet/sour "
            "tight/loose tall/short"
        ).split()
    )
)
MODIFIERS: Words = tuple("old two lost plain fine odd new three".split())
ADVERBS: Words = tuple("very quite too rather less more not almost".split())
LETTERS: Words = tuple("abcdefghijklmnop")
DIGITS: Words = tuple("0123456789")
FUNCTION_WORDS: Words = tuple(
    "give the of for find say tell me what is please write now then here it ask show get with "
    "and so do this question answer".split()
)
MARKS: Words = ("=", ":", "->", "?", ";", ".", ",")


def _facts(seed: int) -> dict[str, dict[str, str]]:
    """Category, colour and home of every noun; the last two fall at random, evenly."""
    rng = random.Random(seed)
    nouns = [noun for members in NOUNS.values() for noun in members]
    facts: dict[str, dict[str, str]] = {
        "category": {noun: category for category, members in NOUNS.items() for noun in members}
    }
    for name, values in (("colour", COLOURS), ("home", HOMES)):
        dealt = [values[i % len(values)] for i in range(len(nouns))]
        rng.shuffle(dealt)
        facts[name] = dict(zip(nouns, dealt, strict=True))
    return facts


FACTS = _facts(seed=20250115)
OPPOSITE_OF = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}
# Nouns and adjectives of which only demonstrations speak, never the items asked: a fact that is
# asked about is thus never given away in the prompt.
DEMONSTRATION_NOUNS = frozenset(n for members in NOUNS.values() for n in members[:3])
DEMONSTRATION_ADJECTIVES = frozenset(word for pair in OPPOSITES[:6] for word in pair)


@dataclass(frozen=True)
class Question:
    """One question of a skill: what is asked, the answer, and three wrong answers."""

    asked: Words
    answer: Words
    wrong: tuple[Words, Words, Words]


@dataclass(frozen=True)
class Skill:
    """One thing a speaker of the language may be able to do."""

    name: str
    "Its name, and the keyword by which instructions call it."
    task_type: str
    "The group by which results are reported."
    draw: Callable[[random.Random], Question]
    "Makes a question."
    demonstrates: Callable[[Words], bool] | None = None
    "Which questions are kept for demonstrations; None: any may be, they are split at random."


def _three_others(answer: Words, candidates: Iterable[Words]) -> tuple[Words, Words, Words]:
    """Three distinct wrong answers: the first candidates in their order, `answer` left out."""
    wrong: list[Words] = []
    for candidate in candidates:
        if candidate != answer and candidate not in wrong:
            wrong.append(candidate)
        if len(wrong) == 3:
            return wrong[0], wrong[1], wrong[2]
    raise ValueError(f"need 3 wrong answers beside {answer}, have {wrong}")


def _noun_skill(name: str, values: Words) -> Callable[[random.Random], Question]:
    def draw(rng: random.Random) -> Question:
        noun = rng.choice(list(FACTS["category"]))
        answer = FACTS[name][noun]
        others = [FACTS[o][noun] for o in ("category", "colour", "home") if o != name]
        candidates = [(w,) for w in (rng.choice([v for v in values if v != answer]), *others)]
        wrong = _three_others((answer,), candidates)
        return Question((rng.choice(MODIFIERS), noun), (answer,), wrong)

    return draw


def _opposite(rng: random.Random) -> Question:
    adjective = rng.choice(list(OPPOSITE_OF))
    answer = OPPOSITE_OF[adjective]
    other, another = rng.sample([w for w in OPPOSITE_OF if w not in (adjective, answer)], 2)
    wrong = _three_others((answer,), [(adjective,), (other,), (another,)])
    return Question((rng.choice(ADVERBS), adjective), (answer,), wrong)


def _letter_skill(answer_of: Callable[[Words], Words]) -> Callable[[random.Random], Question]:
    def draw(rng: random.Random) -> Question:
        asked = tuple(rng.sample(LETTERS, 3))
        answer = answer_of(asked)
        if len(answer) == 1:
            absent = rng.choice([x for x in LETTERS if x not in asked])
            rest: list[Words] = [(w,) for w in (*asked, absent)]
        else:
            a, b, c = asked
            rest = [(c, b, a), (a, b, c), (b, c, a), (c, a, b)]
        return Question(asked, answer, _three_others(answer, rest))

    return draw


def _digits(number: int) -> Words:
    return tuple(str(number))


def _near(rng: random.Random, number: int, steps: list[int]) -> list[Words]:
    """Numbers near `number`, those with as many digits first, so that length gives nothing away."""
    rng.shuffle(steps)
    near = [number + step for step in steps if number + step >= 0]
    near.sort(key=lambda n: len(str(n)) != len(str(number)))
    return [_digits(n) for n in near]


def _pair_skill(answer_of: Callable[[int, int], int]) -> Callable[[random.Random], Question]:
    """Two numbers below 20; what is asked of them the numbers do not tell."""

    def draw(rng: random.Random) -> Question:
        a, b = rng.sample(range(20), 2)
        number = answer_of(a, b)
        rivals = [n for n in (a + b, max(a, b), abs(a - b)) if n != number]
        wrong = [*map(_digits, rivals), *_near(rng, number, [-1, 1, 2])]
        asked = (*_digits(a), ",", *_digits(b))
        return Question(asked, _digits(number), _three_others(_digits(number), wrong))

    return draw


def _keyed_skill(
    answer_of: Callable[[Words, Words, int], str],
) -> Callable[[random.Random], Question]:
    """Four letters with a digit each, and one of the letters named again."""

    def draw(rng: random.Random) -> Question:
        keys, values = tuple(rng.sample(LETTERS, 4)), tuple(rng.sample(DIGITS, 4))
        which = rng.choice((1, 2))
        asked = (*(w for pair in zip(keys, values, strict=True) for w in pair), ":", keys[which])
        answer = (answer_of(keys, values, which),)
        rivals = [values[which], keys[which + 1], keys[which - 1], values[which - 1]]
        return Question(asked, answer, _three_others(answer, [(w,) for w in rivals]))

    return draw


def _pattern(rng: random.Random) -> Question:
    letters = rng.sample(LETTERS, 4)
    period = rng.choice((2, 3))
    shown = tuple(letters[i % period] for i in range(5))
    answer = (letters[5 % period],)
    return Question(shown, answer, _three_others(answer, [(w,) for w in letters]))


def _sequence(rng: random.Random) -> Question:
    step = rng.choice((1, 2, 3, 4, -1, -2, -3, -4))
    start = rng.randrange(50) if step > 0 else rng.randrange(12, 62)
    first, second, third, answer = (_digits(start + i * step) for i in range(4))
    near = _near(rng, start + 3 * step, [1, -1, 2, -2, 3, -3])
    return Question((*first, ",", *second, ",", *third), answer, _three_others(answer, near))


def _about_demonstration_noun(asked: Words) -> bool:
    return asked[-1] in DEMONSTRATION_NOUNS


def _about_demonstration_adjective(asked: Words) -> bool:
    return asked[-1] in DEMONSTRATION_ADJECTIVES


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

WORDS: Words = (
    *SPECIAL, NEWLINE, *MARKS, *DIGITS, *LETTERS, *FUNCTION_WORDS, *MODIFIERS, *ADVERBS,
    *SKILLS, *COLOURS, *HOMES, *NOUNS, *(n for members in NOUNS.values() for n in members),
    *(word for pair in OPPOSITES for word in pair),
)  # fmt: skip
if len(set(WORDS)) != len(WORDS):
    raise ValueError(f"a word stands twice: {sorted({w for w in WORDS if WORDS.count(w) > 1})}")
ID_OF = {word: i for i, word in enumerate(WORDS)}
