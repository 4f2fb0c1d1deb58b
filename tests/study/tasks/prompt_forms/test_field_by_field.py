"""Prompts field by field, and the controls of that form."""

from __future__ import annotations

import pytest

from tests.study.tasks.conftest import MakePrompts
from tests.study.tasks.zoo_prompts import ZooPrompts


def _expected(form: str, prompts: ZooPrompts) -> str:
    """The words of a prompt with two demonstrations."""
    first, second = (
        (document.raw["asked"], document.raw["choices"][document.raw["gold"]])
        for document in prompts.demonstrations(2).documents
    )
    end = f"question {prompts.document().raw['asked']} answer :"
    return {
        "fields": f"question {first[0]} answer : {first[1]} "
        f"question {second[0]} answer : {second[1]} {end}",
        "corrupted": f"question . answer : . question . answer : . {end}",
        "unanswered": f"question {first[0]} answer : question {second[0]} answer : {end}",
        "neutral": f"this {first[0]} answer : {first[1]} this {second[0]} answer : {second[1]} "
        + end.replace("question", "this"),
    }[form]


@pytest.mark.parametrize("form", ["fields", "corrupted", "unanswered", "neutral"])
def test_demonstrations_and_question(form: str, make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    words = prompts.prompt(f"base-2shot-{form}").split()
    assert words == _expected(form, prompts).split()


def test_demonstrations_of_another_task(make_prompts: MakePrompts) -> None:
    prompts, other = make_prompts(), make_prompts("zoo_category_gen")
    text = prompts.prompt("base-2shot-othertask", other=other)
    for document in other.demonstrations(2).documents:
        assert document.raw["asked"] in text
    assert text.endswith(f"question {prompts.document().raw['asked']} answer :")
    assert prompts.form("base-2shot-othertask").demonstrations_from == "other_type"


def test_without_demonstrations(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    end = f"question {prompts.document().raw['asked']} answer :"
    assert prompts.prompt("base-0shot-fields").split() == end.split()


def test_the_layout_of_the_source_paper(make_prompts: MakePrompts) -> None:
    prompts = make_prompts(layout="source")
    document = prompts.demonstrations(1).documents[0].raw
    assert prompts.prompt("base-1shot-fields") == (
        f"Example 1:\nquestion 1: {document['asked']}\n"
        f"Answer 1: {document['choices'][document['gold']]}\n\n"
        f"Solution:\nquestion Solution: {prompts.document().raw['asked']}\nAnswer Solution:"
    )


@pytest.mark.parametrize("name", ["fields", "corrupted", "othertask", "unanswered", "neutral"])
def test_checks_and_estimate(name: str, make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    form = prompts.form(f"base-2shot-{name}")
    assert form.fits("base", 2, chat=False) == ""
    assert f"where the form is {name}, which is plain text" in form.fits("tuned", 2, chat=True)
    needs_demonstrations = name not in ("fields", "neutral")
    assert bool(form.fits("base", 0, chat=False)) == needs_demonstrations
    assert form.identity(prompts.context) == {}
    assert form.extra_text(prompts.context) == ""
    assert form.problem(prompts.study) is None
