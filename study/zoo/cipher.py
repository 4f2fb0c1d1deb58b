"""A second vocabulary for the zoo: every content word is replaced by another word of its kind.

In: the language's words. Out: `CIPHER`, the replacement of each word. Enciphered text has the
zoo's grammar and none of its texts, like a language of which a model has read next to nothing. What
depends on the order of words alone (the last of three letters) is still true in it; what depends on
the meaning of words cannot be known without the cipher.
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
    KEYWORDS,
    LETTERS,
    MODIFIERS,
    NOUNS,
    OPPOSITE_OF,
)


def _replacements(words: Sequence[str], seed: str) -> Iterator[tuple[str, str]]:
    """(word, replacement): one cycle through all words, so that none replaces itself."""
    order = random.Random(f"cipher {seed}").sample(words, len(words))
    yield from zip(order, (*order[1:], order[0]), strict=True)


KINDS: dict[str, Sequence[str]] = {
    "letters": LETTERS,
    "digits": DIGITS,
    "function words": FUNCTION_WORDS,
    "modifiers": MODIFIERS,
    "adverbs": ADVERBS,
    "skills": KEYWORDS,
    "categories": tuple(NOUNS),
    "colours": COLOURS,
    "homes": HOMES,
    "nouns": tuple(noun for members in NOUNS.values() for noun in members),
    "adjectives": tuple(OPPOSITE_OF),
}
"Words by kind; a word is replaced by one of the same kind."
CIPHER: dict[str, str] = {
    word: replacement
    for kind, words in KINDS.items()
    for word, replacement in _replacements(words, kind)
}
