"""Which chat templates think, which are told not to, and what a thinking arm needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.config.arms import Scalar
from study.models.chat_templates.markers import HARMONY, MARKERS
from study.models.chat_templates.rendering import Rendering
from study.models.chat_templates.thinking import (
    UndecidedThinking,
    switched_on,
    thinking_markers,
    thinks,
    undecided_thinking,
)
from tests.study.models.chat_templates import thinking_templates as templates
from tests.study.models.chat_templates.chat import of, tokenizer_with

TAGS = next(markers for markers in MARKERS if markers.opening == "<think>")


def rendered(template: str, **arguments: Scalar) -> Rendering:
    return of(tokenizer_with(template), **arguments)


@pytest.mark.parametrize("name", templates.SWITCHABLE)
def test_templates_that_think_unless_they_are_told_not_to(name: str) -> None:
    template = templates.SWITCHABLE[name]
    off = UndecidedThinking({"enable_thinking": False})
    assert undecided_thinking(rendered(template)) == off
    assert undecided_thinking(rendered(template, enable_thinking=True)) == off
    assert undecided_thinking(rendered(template, enable_thinking=False)) is None
    assert switched_on(rendered(template)) == {"enable_thinking": True}
    assert thinks(rendered(template, enable_thinking=True))
    assert not thinks(rendered(template, enable_thinking=False))
    assert thinking_markers(rendered(template)) == TAGS


@pytest.mark.parametrize("name", templates.ALWAYS)
def test_templates_that_always_think(name: str) -> None:
    plain = rendered(templates.ALWAYS[name])
    assert undecided_thinking(plain) == UndecidedThinking({})
    assert switched_on(plain) == {}
    assert thinks(plain)


def test_an_effort_is_no_switch() -> None:
    low = rendered(templates.GPT_OSS, reasoning_effort="low")
    assert undecided_thinking(low) == UndecidedThinking({})
    assert thinking_markers(low) == HARMONY


def test_an_effort_that_decides() -> None:
    open_effort = UndecidedThinking({}, ("reasoning_effort",))
    assert undecided_thinking(rendered(templates.EFFORT)) == open_effort
    assert undecided_thinking(rendered(templates.EFFORT, reasoning_effort="none")) is None


def test_a_budget_of_nothing_is_no_thinking() -> None:
    off = UndecidedThinking({"thinking_budget": 0})
    for budget in ({}, {"thinking_budget": 512}, {"thinking_budget": -1}):
        thinking = rendered(templates.SEED_OSS, **budget)
        assert undecided_thinking(thinking) == off
        assert thinks(thinking)
    without = rendered(templates.SEED_OSS, thinking_budget=0)
    assert undecided_thinking(without) is None
    assert not thinks(without)


@pytest.mark.parametrize("name", templates.OPTIONAL)
def test_templates_that_think_only_if_they_are_told_to(name: str) -> None:
    template = templates.OPTIONAL[name]
    assert undecided_thinking(rendered(template)) is None
    (switch,) = switched_on(rendered(template))
    on = rendered(template, **{switch: True})
    assert undecided_thinking(on) == UndecidedThinking({switch: False})
    assert thinks(on)


@pytest.mark.parametrize("name", templates.NEVER)
def test_templates_that_do_not_think(name: str) -> None:
    plain = rendered(templates.NEVER[name])
    assert undecided_thinking(plain) is None
    assert switched_on(plain) == {}
    assert thinks(plain) == (name != "plain"), "whether they know markers"


def test_a_prompt_that_holds_the_marker_of_a_model_decides() -> None:
    both = rendered(templates.R1 + "{# [THINK] [/THINK] #}")
    assert thinking_markers(both) == TAGS
    assert thinking_markers(replace(both, template=templates.PLAIN)) is None
