"""The two layouts: demonstrations, questions and options as text."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from study.config.study import read_study
from study.config.wording import SOURCE, ZOO, Layout
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
        ({"direct": "{answer.__class__}"}, r"layout\.direct: found '{answer.__class__}'"),
        ({"direct": "{answer[0]}"}, r"layout\.direct: found"),
        ({"direct": "{answer!r}"}, r"layout\.direct: found"),
        ({"direct": "{answer:>9999999999}"}, r"layout\.direct: found"),
        ({"field": "{name"}, r"layout\.field: found '{name'; .* {name}, {number}, {value}"),
    ],
)
def test_a_template_with_other_placeholders_is_an_error(
    make_run: MakeRun, layout: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        read_study(make_run(layout=layout))


def test_options_have_letters_in_order_and_their_own_text() -> None:
    lettered = SOURCE.with_options("Q", [str(i) for i in range(26)])
    assert lettered.startswith("Q\nOptions: A) 0; B) 1; C) 2;")
    assert lettered.endswith("; Z) 25")
    assert len(ZOO.letters) == 16


@pytest.mark.parametrize("layout", [SOURCE, ZOO])
def test_wordings_are_ever_longer_and_contain_the_question(layout: Layout) -> None:
    texts = [wording.format(text="the question") for wording in layout.wordings]
    assert len(texts) == 6
    assert texts[0] == "the question"
    assert [len(text) for text in texts] == sorted({len(text) for text in texts})
    assert all("the question" in text for text in texts)


def test_an_answered_question_has_no_number() -> None:
    fields = (("question", "a b"),)
    assert ZOO.answered(fields, "b") == "question a b answer : b"
    named = Layout(answer="[{number}] {answer}", heading="<{number}>", query="last")
    assert named.cue() == "[last]"
    assert named.demonstration((), "x", 3) == "<3>[3] x"


@pytest.mark.parametrize(
    "layout",
    [
        {"heading": "{number}"},
        {"query_heading": "{number}"},
        {"field": "{name}{number}{value}"},
        {"answer": "{number}{answer}"},
        {"direct": "{answer}"},
        {"neutral": "{place}"},
        {"option": "{letter}{option}"},
        {"options": "{text}{options}"},
        {"adversarial": "{text}"},
        {"wordings": ["{text}"]},
        {"writing": "{text}"},
    ],
)
def test_every_template_accepts_its_own_placeholders_only(layout: dict[str, Any]) -> None:
    Layout(**layout)
    ((key, template),) = layout.items()
    for wrong in ("{other}", "{0}", "{", "{text.upper.x}"):
        with pytest.raises(ValidationError, match="text with no placeholders but"):
            Layout(**{key: [wrong] if isinstance(template, list) else wrong})
