"""The cipher replaces every content word by another of its kind."""

from __future__ import annotations

from study.zoo.cipher import CIPHER, KINDS
from study.zoo.language import MARKS, NEWLINE, SPECIAL, WORDS


def test_no_word_replaces_itself_and_kinds_are_kept() -> None:
    for words in KINDS.values():
        assert sorted(CIPHER[word] for word in words) == sorted(words)
        assert all(CIPHER[word] != word for word in words)


def test_every_content_word_is_replaced() -> None:
    assert set(CIPHER) == set(WORDS) - {*SPECIAL, *MARKS, NEWLINE}
