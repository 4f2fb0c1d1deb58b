"""Lettered options: the question, choices and targets, and the option a letter stands for."""

from __future__ import annotations

from study.config.wording import SOURCE
from study.tasks.prompt_forms.lettered import option_of_letter
from tests.study.tasks.conftest import MakePrompts


def test_options_follow_the_question(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    raw = prompts.document().raw
    text = prompts.prompt("base-0shot-lettered")
    assert text.startswith(prompts.prompt("base-0shot"))
    for letter, option in zip("abcd", raw["choices"], strict=True):
        assert f"{letter} : {option}" in text


def test_a_generated_target_becomes_a_letter(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    raw = prompts.document().raw
    task = prompts.prompted("base-0shot-lettered")
    assert task.doc_to_target(raw) == "abcd"[raw["gold"]]
    demonstration = prompts.demonstrations(1).documents[0].raw
    letter = "abcd"[demonstration["gold"]]
    assert f" {letter}\n" in prompts.prompt("base-1shot-lettered")


def test_choices_become_letters_and_an_index_stays(make_prompts: MakePrompts) -> None:
    prompts = make_prompts("zoo_reverse_mc")
    raw = prompts.document().raw
    task = prompts.prompted("base-0shot-lettered")
    assert task.doc_to_choice(raw) == ["a", "b", "c", "d"]
    assert task.doc_to_target(raw) == raw["gold"]


def test_a_letter_stands_for_its_option() -> None:
    options = ["red fox", "blue whale"]
    assert option_of_letter("B)", options, SOURCE.letters) == "blue whale"
    assert option_of_letter("a.", options, SOURCE.letters) == "red fox"
    assert option_of_letter("blue", options, SOURCE.letters) == "blue"
    assert option_of_letter("c", options, SOURCE.letters) == "c", "there is no such option"


def test_extraction_uses_the_letters_of_the_layout(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    form = prompts.form("base-0shot-lettered")
    assert form.extract("b", ["x", "y"], prompts.context) == "y"
    assert form.solution(prompts.question(), prompts.context) == (
        prompts.question().options,
        prompts.question().answer,
    )


def test_the_target_of_a_demonstration_is_worded_as_lm_eval_asks(make_prompts: MakePrompts) -> None:
    prompts = make_prompts("zoo_reverse_mc")
    raw = prompts.document().raw
    task = prompts.prompted("base-0shot-lettered")
    assert task.doc_to_target(raw, "{{choices[gold]}}") == raw["choices"][raw["gold"]]
