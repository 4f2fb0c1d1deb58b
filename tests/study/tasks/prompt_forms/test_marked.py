"""Questions with the marker of the study's context indicator."""

from __future__ import annotations

from typing import Any

import pytest

from study.errors import StudyError
from study.tasks.prompt_forms import check_arms
from tests.study.tasks.conftest import MakePrompts

INDICATOR: dict[str, Any] = {
    "tuning": {"indicators": {"i": {"seed_model": "zoo:neox-late-l/tuned", "marker": "<mark>"}}}
}


def test_the_question_ends_with_the_marker(make_prompts: MakePrompts) -> None:
    prompts = make_prompts(**INDICATOR)
    assert prompts.prompt("base-0shot-marked") == prompts.prompt("base-0shot") + " <mark>"


def test_the_marker_is_part_of_identity_and_estimate(make_prompts: MakePrompts) -> None:
    prompts = make_prompts(**INDICATOR)
    form = prompts.form("base-0shot-marked")
    assert form.identity(prompts.context) == {"marker": "<mark>"}
    assert form.extra_text(prompts.context) == " <mark>"
    assert form.problem(prompts.study) is None


def test_a_study_without_an_indicator_has_no_marker(make_prompts: MakePrompts) -> None:
    arm = "tuned-0shot-chat-marked"
    contrasts = [{"name": "c", "x": "base-0shot", "y": arm}]
    prompts = make_prompts(arms=["base-0shot", arm], contrasts=contrasts)
    with pytest.raises(StudyError, match=r"tuning\.indicators: found none; expected an indicator"):
        check_arms(prompts.study)
