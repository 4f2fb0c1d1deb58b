"""The grammar of arm names, and which parts of an arm can move a score."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from study.config.arms import EXAMPLES, Arm, ArmOptions, parse_arm
from study.config.pairs import SelectedPairs


def test_every_part_of_a_name() -> None:
    assert parse_arm("tuned-5shot-chat-oneturn-lettered+first+second") == Arm(
        name="tuned-5shot-chat-oneturn-lettered+first+second",
        role="tuned",
        shots=5,
        template=True,
        multiturn=False,
        form="lettered",
        interventions=("first", "second"),
    )
    plain = parse_arm("base-0shot")
    assert (plain.role, plain.shots, plain.template) == ("base", 0, False)
    assert plain.form is None
    assert plain.interventions == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_arms(name: str) -> None:
    assert parse_arm(name).name == name


def test_there_is_an_example_of_every_kind_of_arm() -> None:
    arms = [parse_arm(name) for name in EXAMPLES]
    kinds = {(arm.role, arm.shots > 0, arm.template, arm.multiturn) for arm in arms}
    assert len(kinds) == len(EXAMPLES) == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("base-5shots", r"an arm's name, <base\|tuned>.*Did you mean 'base-5shot'\?"),
        ("base", "an arm's name"),
        ("base-shot", "an arm's name"),
        ("other-0shot", "an arm's name"),
        ("base-1000shot", "an arm's name"),
        ("base-0shot-Fields", "an arm's name"),
        ("base-0shot+", "an arm's name"),
        ("base-5shot-chat", r"no chat template on a base arm\. Did you mean 'base-5shot'"),
        ("base-5shot-chat-oneturn-fields", "Did you mean 'base-5shot-fields'"),
    ],
)
def test_names_that_are_no_arms(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_arm(name)


def test_thinking_is_part_of_the_name_and_its_budget_an_option() -> None:
    arm = parse_arm("tuned-5shot-chat-oneturn-thinking-lettered")
    assert (arm.thinks, arm.multiturn, arm.form, arm.thinking_tokens) == (
        True,
        False,
        "lettered",
        0,
    )
    options = ArmOptions(name="tuned-0shot-chat-thinking", thinking_tokens=64)
    assert options.arm("shared-prefix").thinking_tokens == 64
    assert options.arm("shared-prefix").identity()["thinking_tokens"] == 64
    other = ArmOptions(name="tuned-0shot-chat-thinking", thinking_tokens=65)
    assert other.arm("shared-prefix").identity() != options.arm("shared-prefix").identity()
    assert not parse_arm("tuned-0shot-chat").thinks
    assert parse_arm("base-0shot-thinking").form == "thinking", "a form, which does not exist"


def test_the_identity_has_only_what_can_move_a_score() -> None:
    def identity(name: str) -> dict[str, object]:
        return parse_arm(name).identity()

    assert identity("base-0shot") == {"shots": 0, "template": False} == identity("tuned-0shot")
    assert identity("tuned-0shot-chat") == {"shots": 0, "template": True}
    assert identity("tuned-0shot-chat") == identity("tuned-0shot-chat-oneturn")
    assert identity("tuned-5shot-chat")["multiturn"] is True
    assert identity("tuned-5shot-chat-oneturn")["multiturn"] is False
    assert identity("base-2shot-fields") == {"shots": 2, "template": False, "form": "fields"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"enable_thinking": False, "n": 1, "x": 0.5, "day": "Monday", "tools": None}, ""),
        ({"a" * 80: 1}, ""),
        ({"a" * 81: 1}, "names of variables"),
        ({"1a": 1}, "names of variables"),
        ({5: 1}, "names of variables, found 5"),
        ({"x": math.inf}, "x: true, false, a finite number"),
        ({"x": math.nan}, "x: true, false, a finite number"),
        ({"x": {}}, "x: true, false, a finite number"),
        ([1], "a mapping of names to values"),
    ],
)
def test_template_arguments_are_scalars_by_name(arguments: Any, message: str) -> None:
    for give in (
        lambda: ArmOptions(name="tuned-0shot-chat", template_arguments=arguments),
        lambda: SelectedPairs(source="zoo", template_arguments=arguments),
    ):
        if message:
            with pytest.raises(ValidationError, match=message):
                give()
        else:
            assert give().template_arguments == arguments


@pytest.mark.parametrize("name", ["base-0shot", "tuned-5shot"])
def test_template_arguments_need_a_template(name: str) -> None:
    assert ArmOptions(name=name).template_arguments == {}
    with pytest.raises(ValidationError, match=r"an arm with a chat template \(-chat\), found"):
        ArmOptions(name=name, template_arguments={"a": 1})
