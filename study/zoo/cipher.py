"""A second tongue for the zoo: every content word is called by another word of its kind.

In: the language's words. Out: `CIPHER`. The tongue has the zoo's grammar and none of its texts, as
a language has of which a model read next to nothing. What depends on words' order alone (the last
of three letters) is as true in it as before; what depends on what words mean is not to be had
without the dictionary.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from study.zoo.language import (
    ADVERBS,
    COLOURS,
    DIGITS,
    FUNCTION_WORDS,
    HOMES,
    LETTERS,
    MODIFIERS,
    NOUNS,
    OPPOSITE_OF,
    SKILLS,
)  # fmt: skip


def _moved(words: Sequence[str], seed: str) -> Iterator[tuple[str, str]]:
    """Each word with the one that stands for it; none stands for itself."""
    order = random.Random(f"cipher {seed}").sample(words, len(words))
    yield from zip(order, (*order[1:], order[0]), strict=True)


KINDS: dict[str, Sequence[str]] = {
    "letters": LETTERS,
    "digits": DIGITS,
    "function words": FUNCTION_WORDS,
    "modifiers": MODIFIERS,
    "adverbs": ADVERBS,
    "skills": tuple(SKILLS),
    "categories": tuple(NOUNS),
    "colours": COLOURS,
    "homes": HOMES,
    "nouns": tuple(noun for members in NOUNS.values() for noun in members),
    "adjectives": tuple(OPPOSITE_OF),
}
CIPHER: dict[str, str] = {
    word: other for kind, words in KINDS.items() for word, other in _moved(words, kind)
}
