"""The registry of sources, and pools with a fixed list of rows."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from pydantic import ValidationError

from study.config.tuning.mixtures import SOURCE_KINDS, Source
from study.tuning.data.sources import SOURCES, Conversation, TaskExample, Turn
from study.tuning.data.sources.base import finite_pool, rows_digest

CHATS = [Conversation((Turn("user", f"{i}"), Turn("assistant", "a"))) for i in range(4)]


def test_every_kind_of_source_has_a_reader() -> None:
    assert tuple(SOURCES) == SOURCE_KINDS
    assert set(SOURCE_KINDS) <= set(Source.model_fields)


def test_exactly_one_kind() -> None:
    assert Source(task="t").kind == "task"
    for keys in ({}, {"task": "t", "file": "f"}):
        with pytest.raises(ValidationError, match="exactly one of zoo, suite, task and file"):
            Source(**keys)


def test_every_row_before_any_row_twice() -> None:
    pool = finite_pool(Source(file="f"), "f", "t", frozenset(), CHATS)
    assert pool.size == 4
    for number, counts in ((3, {1: 3}), (4, {1: 4}), (10, {2: 2, 3: 2})):
        drawn = pool.draw(number, random.Random(0))
        assert len(drawn) == number
        assert Counter(Counter(drawn).values()) == counts


def test_digests_of_rows_are_those_of_the_first_version() -> None:
    """They are part of tuned models' keys."""
    example = TaskExample(("say a",), (("question", "a"),), "b", "before ")
    assert example.digest_text() == (
        "Shown(wordings=('say a',), fields=(('question', 'a'),), answer='b', before='before ')"
    )
    assert CHATS[0].digest_text() == (
        "Chat(turns=(Turn(role='user', content='0'), Turn(role='assistant', content='a')))"
    )
    assert Conversation(CHATS[0].turns[:1]).digest_text() == (
        "Chat(turns=(Turn(role='user', content='0'),))"
    )
    assert rows_digest([example]) != rows_digest(CHATS)
