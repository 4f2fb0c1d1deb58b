"""The two layouts: demonstrations, questions and options as text."""

from __future__ import annotations

import pytest

from study.config.study import read_study
from study.config.wording import SOURCE, ZOO
from study.errors import StudyError
from tests.conftest import MakeRun

FIELDS = (("Context", "It rains."), ("Question", "Wet?"))


def test_the_layout_of_the_source_paper() -> None:
    assert SOURCE.demonstration(FIELDS, "yes", 2) == (
        "Example 2:\nContext 2: It rains.\nQuestion 2: Wet?\nAnswer 2: yes"
    )
    assert SOURCE.question(FIELDS) == (
        "Solution:\nContext Solution: It rains.\nQuestion Solution: Wet?\nAnswer Solution:"
    )
    assert SOURCE.answered(FIELDS, "yes") == SOURCE.question(FIELDS) + " yes"
    assert SOURCE.cue() == "Answer Solution:"
    assert SOURCE.unnamed(FIELDS) == (("Input 1", "It rains."), ("Input 2", "Wet?"))
    assert SOURCE.with_options("Wet?", ["yes", " no"]) == "Wet?\nOptions: A) yes; B) no"


def test_the_layout_of_the_zoo() -> None:
    fields = (("question", "a b"),)
    assert ZOO.demonstration(fields, "b", 1) == "question a b answer : b"
    assert ZOO.question(fields) == "question a b answer :"
    assert ZOO.cue() == "answer :"
    assert ZOO.with_options("a b", ["a", "b"]) == "a b : a : a , b : b"
    assert ZOO.unnamed((*fields, ("options", "c"))) == (("this", "a b"), ("this", "c"))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            {"wordings": ["{text}", "say {word}"]},
            r"layout\.wordings\[1\]: found 'say {word}'; .*{text}",
        ),
        ({"writing": "{}"}, r"layout\.writing: found '{}'; expected text with no placeholders but"),
        ({"field": "{name"}, r"layout\.field: found '{name'; .* {name}, {number}, {value}"),
    ],
)
def test_a_template_with_other_placeholders_is_an_error(
    make_run: MakeRun, layout: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        read_study(make_run(layout=layout))
