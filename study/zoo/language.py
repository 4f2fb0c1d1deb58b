"""The synthetic language of the zoo: its words and its facts.

In: a fixed seed. Out: `WORDS`, the vocabulary in the order of token ids; `FACTS`, what is true of
the nouns; and the groups of words that questions (skills.py) are made of.
"""

from __future__ import annotations

import random

Words = tuple[str, ...]

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>", "<|user|>", "<|assistant|>", "<|system|>")
PAD, BOS, EOS, UNK, USER, ASSISTANT, SYSTEM = SPECIAL
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
KEYWORDS: Words = tuple(
    "category colour home opposite reverse first last addition maximum difference lookup after "
    "before pattern sequence".split()
)
"The names of the skills, by which instructions refer to them."


def _facts(seed: int) -> dict[str, dict[str, str]]:
    """Category, colour and home of every noun; colours and homes are assigned at random, each
    equally often."""
    rng = random.Random(seed)
    nouns = [noun for members in NOUNS.values() for noun in members]
    facts: dict[str, dict[str, str]] = {
        "category": {noun: category for category, members in NOUNS.items() for noun in members}
    }
    for name, values in (("colour", COLOURS), ("home", HOMES)):
        assigned = [values[i % len(values)] for i in range(len(nouns))]
        rng.shuffle(assigned)
        facts[name] = dict(zip(nouns, assigned, strict=True))
    return facts


FACTS = _facts(seed=20250115)
"By property (category, colour, home), the value of each noun."
OPPOSITE_OF = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}
# Nouns and adjectives that occur in demonstrations only and never in test items, so that no prompt
# gives away a fact that it asks about.
DEMONSTRATION_NOUNS = frozenset(n for members in NOUNS.values() for n in members[:3])
DEMONSTRATION_ADJECTIVES = frozenset(word for pair in OPPOSITES[:6] for word in pair)

WORDS: Words = (
    *SPECIAL,
    NEWLINE,
    *MARKS,
    *DIGITS,
    *LETTERS,
    *FUNCTION_WORDS,
    *MODIFIERS,
    *ADVERBS,
    *KEYWORDS,
    *COLOURS,
    *HOMES,
    *NOUNS,
    *(noun for members in NOUNS.values() for noun in members),
    *(word for pair in OPPOSITES for word in pair),
)
"The vocabulary, in the order of token ids."
if len(set(WORDS)) != len(WORDS):
    raise ValueError(f"repeated words: {sorted({w for w in WORDS if WORDS.count(w) > 1})}")
ID_OF = {word: i for i, word in enumerate(WORDS)}
