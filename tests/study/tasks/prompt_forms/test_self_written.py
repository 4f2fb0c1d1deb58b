"""Demonstrations that a tuned model writes: the request for them, their use, and their worth."""

from __future__ import annotations

from study.config.scorers import Answers
from study.config.wording import SOURCE, ZOO
from study.tasks.prompt_forms import PromptContext
from study.tasks.prompt_forms.self_written import (
    check_written,
    demonstrations_in,
    up_to_the_answer,
)
from tests.study.tasks.conftest import MakePrompts

TEXT = "question a b answer : b \n question c d answer : d \n question e f answer : f ;"
"A response with two demonstrations and the answer of the question `e f`."


def test_the_tuned_model_is_instructed_to_write(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    form = prompts.form("tuned-0shot-chat-writes")
    text = prompts.prompt("tuned-0shot-chat-writes")
    assert text == f"show the answer : {prompts.prompt('tuned-0shot')}"
    assert form.extra_text(prompts.context) == "show the answer : "
    assert form.generation(Answers(tokens=5, writing_tokens=70), ZOO) == ([";"], 70)
    assert form.identity(prompts.context) == {}
    assert form.for_writers
    assert form.needs_scorer


def test_the_base_model_reads_what_the_tuned_model_wrote(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    context = PromptContext(prompts.study, {0: TEXT})
    form = prompts.form("base-0shot-written")
    text = prompts.prompt("base-0shot-written", context=context)
    assert text == "question a b answer : b \n question c d answer : d \n question e f answer :"
    assert form.reads == "writes"
    assert form.generation(Answers(tokens=5), ZOO) == (["\n"], 5)


def test_a_response_is_cut_after_its_last_cue() -> None:
    assert up_to_the_answer("Answer Solution: yes\nEND", SOURCE) == "Answer Solution:"
    assert up_to_the_answer("no cue at all", SOURCE) == "no cue at all"


def test_demonstrations_are_found_in_a_response() -> None:
    assert demonstrations_in(TEXT, ZOO, ["question"]) == [
        ((("question", "a b"),), "b"),
        ((("question", "c d"),), "d"),
    ]
    numbered = "Example 1:\nText 1: hm\nAnswer 1: yes\n\nExample 3:\nText 3: no\nAnswer 3: no\n"
    assert demonstrations_in(numbered, SOURCE, ["Text"]) == [((("Text", "hm"),), "yes")]
    assert demonstrations_in("nothing", ZOO, ["question"]) == []


def test_written_demonstrations_are_checked() -> None:
    item = (("question", "e f"),)
    shares = check_written(
        [TEXT, "nothing", TEXT, TEXT],
        [item, item, (("question", "a b"),), (("question", "x"),)],
        ["f", "f", "b", "d"],
        ZOO,
    )
    assert shares == {"parsed": 0.75, "copied": 0.25, "same_answer": 0.5, "restated": 0.5}
