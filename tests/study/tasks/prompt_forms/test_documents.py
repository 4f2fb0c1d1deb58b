"""Documents taken apart: fields, options and answers of tasks of any kind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from study.config.tasks import ListedTask
from study.tasks.prompt_forms.documents import (
    Question,
    answer_of,
    fields_of,
    normalised_answer,
    options_of,
)
from tests.study.tasks.conftest import MakePrompts


def test_named_fields_are_templates_over_the_document(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    raw = prompts.document().raw
    named = {"Letters": "{{asked}}", "Number": "{{choices | length}}"}
    assert fields_of(prompts.task, raw, named, "t") == (("Letters", raw["asked"]), ("Number", "4"))


def test_unnamed_fields_are_those_of_the_document(make_prompts: MakePrompts) -> None:
    """Without bookkeeping and the answer; the options last."""
    generated, chosen = make_prompts(), make_prompts("zoo_reverse_mc")
    raw = generated.document().raw
    assert fields_of(generated.task, raw, {}, "t") == (("Asked", raw["asked"]),)
    options = "; ".join(raw["choices"])
    assert fields_of(chosen.task, raw, {}, "t") == (("Asked", raw["asked"]), ("Options", options))
    more = {**raw, "some_number": 5, "id": "x7", "label": 2}
    assert ("Some number", "5") in fields_of(generated.task, more, {}, "t")
    assert len(fields_of(generated.task, more, {}, "t")) == 2


def test_options_of_the_task_or_of_a_field(make_prompts: MakePrompts) -> None:
    generated, chosen = make_prompts(), make_prompts("zoo_reverse_mc")
    raw = generated.document().raw
    assert options_of(chosen.task, raw, None) == raw["choices"]
    assert options_of(generated.task, raw, "choices") == raw["choices"]
    assert options_of(generated.task, raw, None) == []


def test_answers_as_text(make_prompts: MakePrompts) -> None:
    for name in ("zoo_first_gen", "zoo_reverse_mc"):
        prompts = make_prompts(name)
        document = prompts.document().raw
        assert answer_of(prompts.task, document) == document["choices"][document["gold"]]


@pytest.mark.parametrize(("target", "answer"), [(["yes", "y"], "yes"), (" yes ", "yes"), (1, "1")])
def test_the_first_of_several_answers(target: object, answer: str) -> None:
    task: Any = SimpleNamespace(
        doc_to_target=lambda document: target, config=SimpleNamespace(doc_to_choice=None)
    )
    assert answer_of(task, {}) == answer


def test_answers_are_compared_normalised() -> None:
    assert normalised_answer(" 'Blue  Whale.' ") == "blue whale"
    assert normalised_answer("A\n b") == "a b"


def test_a_question_has_all_parts(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    raw, question = prompts.document().raw, prompts.question()
    assert question.text == prompts.document().text
    assert question.fields == (("question", raw["asked"]),)
    assert question.options == raw["choices"]
    assert question.answer == raw["choices"][raw["gold"]]
    bare = ListedTask(task="t", task_type="x", metric="acc", chance=0)
    assert Question(prompts.task, bare, raw).options == []
