"""The language: its words, and facts of every noun."""

from __future__ import annotations

from collections import Counter

from study.zoo.language import (
    COLOURS,
    DEMONSTRATION_ADJECTIVES,
    DEMONSTRATION_NOUNS,
    FACTS,
    HOMES,
    ID_OF,
    NOUNS,
    OPPOSITE_OF,
    WORDS,
)


def test_every_word_has_one_id() -> None:
    assert [WORDS[i] for i in ID_OF.values()] == list(ID_OF)
    assert len(set(WORDS)) == len(WORDS)


def test_every_noun_has_every_property_and_every_value_is_equally_frequent() -> None:
    nouns = [noun for members in NOUNS.values() for noun in members]
    for name, values in (("category", tuple(NOUNS)), ("colour", COLOURS), ("home", HOMES)):
        assert list(FACTS[name]) == nouns
        assert Counter(FACTS[name].values()) == dict.fromkeys(values, len(nouns) // len(values))


def test_opposites_are_mutual_and_words_for_demonstrations_a_part() -> None:
    assert all(OPPOSITE_OF[OPPOSITE_OF[word]] == word != OPPOSITE_OF[word] for word in OPPOSITE_OF)
    assert FACTS["category"].keys() > DEMONSTRATION_NOUNS
    assert OPPOSITE_OF.keys() > DEMONSTRATION_ADJECTIVES
    assert {OPPOSITE_OF[word] for word in DEMONSTRATION_ADJECTIVES} == DEMONSTRATION_ADJECTIVES
