"""The registry of prompt forms: names, arms that fit, who is evaluated in which form."""

from __future__ import annotations

from typing import Any

import pytest

from study.config.arms import parse_arm
from study.config.study import read_study
from study.errors import StudyError
from study.tasks.prompt_forms import FORMS, applies, check_arms, prompt_form
from study.tasks.prompt_forms.base import NoParameters
from tests.conftest import MakeRun
from tests.study.task_files import TUNING


def test_names_are_unique_and_found() -> None:
    names = [form.name for form in FORMS]
    assert len(set(names)) == len(names)
    assert prompt_form(parse_arm("base-5shot")) is None
    assert prompt_form(parse_arm("tuned-0shot-chat-wording3")) is FORMS[names.index("wording3")]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("tuned-2shot-chat-fields", "no chat template"),
        ("base-0shot-corrupted", "one shot at least"),
        ("base-0shot-othertask", "one shot at least"),
        ("base-0shot-unanswered", "one shot at least"),
        ("base-0shot-writes", "a tuned model without shots"),
        ("tuned-1shot-writes", "a tuned model without shots"),
        ("tuned-0shot-written", "a base model without shots"),
        ("base-1shot-written", "a base model without shots"),
        ("base-0shot-wording7", r"an arm's name.*wording6.*Did you mean 'base-0shot-wording\d'"),
    ],
)
def test_arms_that_cannot_have_the_form(arm: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prompt_form(parse_arm(arm))


def test_which_pairs_are_evaluated_in_an_arm() -> None:
    """Of a pair whose tuned model writes demonstrations: the tuned model only in the forms for
    writers, the base in all."""
    writes, written = parse_arm("tuned-0shot-chat-writes"), parse_arm("base-0shot-written")
    plain, fields = parse_arm("tuned-0shot-chat"), parse_arm("base-2shot-fields")
    arms = (writes, written, plain, fields)
    assert [applies(arm, writes=True) for arm in arms] == [True, True, False, True]
    assert [applies(arm, writes=False) for arm in arms] == [False, False, True, True]


def _check(make_run: MakeRun, x: str, y: str = "tuned-0shot-chat", **changes: Any) -> None:
    contrasts = [{"name": "c", "x": x, "y": y}]
    folder = make_run(**{"layout": "zoo", "arms": [x, y], "contrasts": contrasts, **changes})
    check_arms(read_study(folder))


def test_an_arm_whose_form_does_not_fit_is_named(make_run: MakeRun) -> None:
    with pytest.raises(
        StudyError, match=r"arms\[0\]: found 'base-0shot-corrupted'; expected .*one shot at least"
    ):
        _check(make_run, "base-0shot-corrupted")


def test_responses_with_demonstrations_need_a_scorer(make_run: MakeRun) -> None:
    with pytest.raises(StudyError, match=r"answers\.choose: found task; expected exact or simil"):
        _check(make_run, "base-0shot-written", pairs=..., tuning=TUNING)


def test_a_form_that_reads_responses_needs_the_arm_that_gives_them(make_run: MakeRun) -> None:
    changes: dict[str, Any] = {"pairs": ..., "tuning": TUNING, "answers": {"choose": "exact"}}
    with pytest.raises(
        StudyError, match=r"arms: found none; expected an arm of form writes, such as "
    ):
        _check(make_run, "base-0shot-written", **changes)
    arms = ["base-0shot-written", "tuned-0shot-chat", "tuned-0shot-chat-writes"]
    folder = make_run(
        "complete",
        layout="zoo",
        arms=arms,
        contrasts=[{"name": "c", "x": arms[0], "y": arms[1]}],
        **changes,
    )
    check_arms(read_study(folder))


def test_forms_without_parameters_add_nothing_to_the_identity(make_run: MakeRun) -> None:
    from study.tasks.prompt_forms import PromptContext

    tuning = {"indicators": {"i": {"seed_model": "zoo:neox-late-l/tuned"}}}
    context = PromptContext(read_study(make_run(layout="zoo", tuning=tuning)))
    for form in FORMS:
        if isinstance(form.parameters, NoParameters) and form.name != "marked":
            assert form.identity(context) == {}, form.name


def test_arms_of_contrasts_are_checked_where_a_study_only_imports(make_run: MakeRun) -> None:
    contrast = {"name": "c", "x": "base-5shot-fieldz", "y": "tuned-0shot"}
    run = make_run(pairs=..., tasks=..., arms=..., limit=..., draws=..., contrasts=[contrast])
    with pytest.raises(StudyError, match=r"contrasts\[0\]\.x: found 'base-5shot-fieldz'"):
        check_arms(read_study(run))
