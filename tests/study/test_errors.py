"""The message of an error: where, what was found, what is expected, what to do."""

from __future__ import annotations

from pathlib import Path

from study.errors import StudyError, listed, nearest


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
