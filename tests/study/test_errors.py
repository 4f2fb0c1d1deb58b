"""The message of an error: where, what was found, what is expected, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import MAX_MESSAGE, StudyError, listed, nearest, printable


def test_the_message_has_every_part() -> None:
    error = StudyError(
        Path("run/study.yaml"), "arms[2]", found="'x'", expected="an arm", do="Remove it"
    )
    assert str(error) == "run/study.yaml: arms[2]: found 'x'; expected an arm. Remove it"
    assert (error.key, error.found, error.do) == ("arms[2]", "'x'", "Remove it")


def test_key_and_advice_may_be_absent() -> None:
    assert str(StudyError("zoo/base", found="nothing", expected="a model")) == (
        "zoo/base: found nothing; expected a model"
    )


def test_the_nearest_name_is_suggested() -> None:
    assert nearest("base-5shots", ["base-0shot", "base-5shot"]) == "Did you mean 'base-5shot'?"
    assert nearest("xyz", ["base-0shot"]) == ""
    assert nearest(5, []) == ""


def test_long_lists_are_shortened() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed("abcd", most=2) == "'a', 'b', … (2 more)"
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Überprüfung 模型 a\\b", "Überprüfung 模型 a\\b"),
        ("\x1b]0;title\x07\x1b[31mred", "\\x1b]0;title\\x07\\x1b[31mred"),
        ("two\nlines\r\tand\x00\x9b", "two\\nlines\\r\\tand\\x00\\x9b"),
        ("\u202eolleh\u2028", "\\u202eolleh\\u2028"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shown in str(StudyError("file", found=text, expected="text"))
    assert str(StudyError("file", found=text, expected="text")).isprintable()


def test_the_middle_of_a_long_text_is_elided() -> None:
    assert printable("a" * 9, 9) == "a" * 9
    assert printable("0123456789", 9) == "012 … 789"
    message = str(StudyError("file", "key", found="x" * 100_000, expected="less", do="Cut it"))
    assert len(message) == MAX_MESSAGE
    assert message.startswith("file: key: found xxx")
    assert message.endswith("xxx; expected less. Cut it")
