"""A task in an arm's form: what is overridden, and that everything else stays lm-eval's."""

from __future__ import annotations

import pytest

from study.config.arms import parse_arm
from study.errors import StudyError
from study.scorers import study_scorer
from study.tasks.prompted_task import PromptedTask, prompted_task
from tests.study.tasks.conftest import MakePrompts


def test_the_plain_arm_is_lm_evals_own_task(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    assert prompts.prompted("base-0shot") is prompts.task


def test_a_form_leaves_metric_and_class_as_they_are(make_prompts: MakePrompts) -> None:
    prompts = make_prompts("zoo_reverse_mc")
    task = prompts.prompted("base-0shot-wording2")
    raw = prompts.document().raw
    assert isinstance(task, PromptedTask)
    assert isinstance(task, type(prompts.task))
    assert task.OUTPUT_TYPE == prompts.task.OUTPUT_TYPE == "multiple_choice"
    assert task.doc_to_text(raw) == f"please {prompts.task.doc_to_text(raw)}"
    assert task.doc_to_choice(raw) == prompts.task.doc_to_choice(raw)
    assert set(task.aggregation()) == set(prompts.task.aggregation())
    assert not isinstance(prompts.task, PromptedTask)
    assert prompts.task.doc_to_text(raw) == prompts.document().text, "the task itself is unchanged"


def test_results_of_a_form_are_those_of_the_task(make_prompts: MakePrompts) -> None:
    prompts = make_prompts("zoo_reverse_mc")
    raw = prompts.document().raw
    responses = [(-float(index == raw["gold"]), False) for index in range(4)]
    task = prompts.prompted("base-0shot-wording2")
    assert task.process_results(raw, responses) == prompts.task.process_results(raw, responses)


def test_a_scorer_makes_a_task_of_generated_responses(make_prompts: MakePrompts) -> None:
    prompts = make_prompts(
        "zoo_reverse_mc", answers={"choose": "exact", "tokens": 7, "writing_tokens": 50}
    )
    scorer = study_scorer(prompts.study)
    task = prompts.prompted("base-0shot", scorer=scorer)
    raw, gold = prompts.document().raw, prompts.question().answer
    assert task.OUTPUT_TYPE == "generate_until"
    assert task.config.generation_kwargs == {
        "until": ["\n"],
        "do_sample": False,
        "max_gen_toks": 7,
    }
    assert prompts.task.OUTPUT_TYPE == "multiple_choice"
    assert task.process_results(raw, [f"{gold} ;"]) == {"answer_exact": 1.0}
    assert task.process_results(raw, ["other ;"]) == {"answer_exact": 0.0}
    assert task.aggregation()["answer_exact"]([1.0, 0.0]) == 0.5
    writes = prompts.prompted("tuned-0shot-chat-writes", scorer=scorer)
    assert writes.config.generation_kwargs == {
        "until": [";"],
        "do_sample": False,
        "max_gen_toks": 50,
    }


def test_one_request_for_each_item_of_a_generating_task(make_prompts: MakePrompts) -> None:
    prompts = make_prompts("zoo_reverse_mc", answers={"choose": "exact"})
    document = prompts.document()
    task = prompts.prompted("base-2shot-fields", scorer=study_scorer(prompts.study))
    context = task.fewshot_context(document.raw, num_fewshot=2)
    request = task.construct_requests(doc=document.raw, ctx=context, metadata=("t", 0, 1))
    request = request[0] if isinstance(request, list) else request
    assert request.request_type == "generate_until"
    assert request.args[0] == context


def test_choices_that_are_whole_texts_cannot_be_reworded(make_prompts: MakePrompts) -> None:
    prompts = make_prompts()
    prompts.task.multiple_input = 2
    with pytest.raises(StudyError, match="found choices that are whole texts"):
        prompted_task(
            prompts.task, prompts.listed, parse_arm("base-0shot-wording2"), prompts.context, None
        )
