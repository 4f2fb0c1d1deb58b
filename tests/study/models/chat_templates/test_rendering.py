"""Chat templates render what transformers renders, from stated inputs, at a fixed date."""

from __future__ import annotations

import datetime as dt
import re
import time

import pytest
from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_NAMESPACE
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers.utils import chat_template_utils

from study.bounded_jinja.budget import TemplateLimitError
from study.bounded_jinja.syntax_tree import MEASURED, SPENT
from study.errors import StudyError
from study.models.chat_templates.compiled import compiled_template
from study.models.chat_templates.names import CLOCK, GLOBALS, RANDOM_FILTERS
from study.models.chat_templates.published import TEMPLATES
from study.models.chat_templates.rendering import TokenizerTemplate, clock, render_messages
from tests.conftest import ROOT
from tests.study.models.chat_templates import thinking_templates as templates
from tests.study.models.chat_templates.chat import DATE, MESSAGES, of, render, tokenizer_with

DATED = (
    "{% if strftime_now is defined %}Today is {{ strftime_now('%d %b %Y') }}. {% endif %}"
    "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
)


THINKING = (*templates.SWITCHABLE.values(), *templates.ALWAYS.values(), *templates.NEVER.values())


@pytest.mark.parametrize("template", [*TEMPLATES.values(), *THINKING])
def test_the_bounded_sandbox_renders_what_that_of_transformers_does(template: str) -> None:
    tokenizer = tokenizer_with(template)
    own = chat_template_utils._cached_compile_jinja_template(template)
    assert type(own.environment) is ImmutableSandboxedEnvironment
    own.globals[CLOCK] = clock(DATE)
    for prompt in (True, False):
        given = {"messages": MESSAGES, "add_generation_prompt": prompt}
        expected = own.render(**given, **tokenizer.special_tokens_map)
        assert render_messages(of(tokenizer), MESSAGES, add_generation_prompt=prompt) == expected


@pytest.mark.parametrize("template", [*TEMPLATES.values(), None])
def test_conversations_are_rendered_as_by_transformers(template: str | None) -> None:
    tokenizer = tokenizer_with(template or "")
    if template is None:  # several templates, one of which is applied by default
        tokenizer.chat_template = {"default": TEMPLATES["tulu"], "tool_use": "{{ tools }}"}
    messages = MESSAGES[:3]
    options = {"tokenize": False, "continue_final_message": True}
    assert render(tokenizer, MESSAGES) == tokenizer.apply_chat_template(
        MESSAGES, tokenize=False, add_generation_prompt=True
    )
    continued = render(tokenizer, messages, add_generation_prompt=False)
    assert continued == tokenizer.apply_chat_template(messages, **options)


def test_system_messages_are_dropped_where_a_template_refuses_them() -> None:
    refusing = (
        "{% for message in messages %}{% if message['role'] == 'system' %}"
        "{{ raise_exception('no system') }}{% endif %}{{ message['content'] }}{% endfor %}"
    )
    assert render(tokenizer_with(refusing), MESSAGES) == "UAV"


def test_today_is_the_date_of_the_study() -> None:
    tokenizer = tokenizer_with(DATED)
    for date in (DATE, dt.date(2031, 12, 24), DATE):
        assert render(tokenizer, MESSAGES, date=date).startswith(f"Today is {date:%d %b %Y}. S")
    assert of(tokenizer).date == DATE
    assert of(tokenizer_with(TEMPLATES["tulu"])).date is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_seconds_do_not_depend_on_the_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    tokenizer = tokenizer_with("{{ strftime_now('%s %%s %-s %Y %H:%M%z%Z') }}")
    try:
        assert render(tokenizer, MESSAGES) == "1767225600 %s 1767225600 2026 00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_transformers_renders_within_the_budget_too() -> None:
    tokenizer = tokenizer_with("{% for i in range(99999) %}{{ range(99999) | list }}{% endfor %}")
    of(tokenizer)
    with pytest.raises(TemplateLimitError):
        tokenizer.apply_chat_template(MESSAGES, tokenize=False)


def test_the_identity_has_what_the_template_reads_and_nothing_else() -> None:
    tokenizer, other = tokenizer_with(DATED), tokenizer_with(DATED)
    other.eos_token = "<|user|>"
    first, second = (of(each) for each in (tokenizer, other))
    assert render(tokenizer, MESSAGES) != render(other, MESSAGES)
    assert first.identity() != second.identity()
    assert first.identity()["special_tokens"] == {"eos_token": tokenizer.eos_token}
    other.eos_token, other.bos_token = tokenizer.eos_token, "<|user|>"  # which is not read
    assert of(other) == first


def test_arguments_are_distinguished_as_in_json() -> None:
    tokenizer = tokenizer_with("{{ 'on' if think is true else 'off' }}{{ messages[0].content }}")
    values = (True, 1, 1.0, False, None, "true")
    made = [of(tokenizer, think=value) for value in values]
    assert len(set(made)) == len(values)
    assert [render(tokenizer, MESSAGES[1:2], arguments={"think": value}) for value in values] == [
        "onU",
        *["offU"] * 5,
    ]


def test_an_argument_that_the_template_does_not_read_is_refused() -> None:
    template = (
        "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
        "{{ enable_thinking }}{{ eos_token }}{% set local = 1 %}{{ local }}"
    )
    tokenizer = tokenizer_with(template)
    assert render(tokenizer, MESSAGES, arguments={"enable_thinking": False}).startswith("False")
    for name in ("enable_thinkin", "local", "eos_token", "messages", "strftime_now"):
        with pytest.raises(StudyError, match=f"template_arguments.{name}: .*'enable_thinking'"):
            of(tokenizer, **{name: False})
    everything = {"enable_thinking": False, "other": 1}
    assert TokenizerTemplate.of(tokenizer).read(everything, "here") == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ lipsum() }}", "uses 'lipsum'"),
        ("{{ [1, 2] | random }}", "uses 'random'"),
        ("{{ messages", "not valid"),
        (None, "no chat template"),
    ],
)
def test_templates_that_cannot_be_used(template: str | None, found: str) -> None:
    tokenizer = tokenizer_with(template or "")
    with pytest.raises(StudyError, match=f"there: found .*{found}"):
        of(tokenizer, where="there")


def test_the_names_that_a_template_can_reach_are_known() -> None:
    """A new one may be a clock. It is refused until somebody has looked at it."""
    environment = compiled_template("{{ messages }}").environment
    assert environment.sandboxed
    assert set(environment.globals) == GLOBALS | DEFAULT_NAMESPACE.keys()
    assert set(environment.filters) == DEFAULT_FILTERS.keys() | {MEASURED, SPENT}
    assert DEFAULT_FILTERS.keys() > RANDOM_FILTERS


def test_templates_are_rendered_in_one_place() -> None:
    calls = [
        path.relative_to(ROOT).as_posix()
        for package in ("study", "analysis")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\.apply_chat_template\(|render_jinja_template\(", path.read_text())
    ]
    assert calls == ["study/models/chat_templates/rendering.py"]
