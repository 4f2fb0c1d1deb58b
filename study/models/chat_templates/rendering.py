"""Rendering of chat templates from stated inputs: the only place of the project that renders one.

In: a tokenizer, template arguments, the study's date. Out: `Rendering`, which holds everything that
the template can read besides the messages; a function that renders messages from it alone. So its
identity covers all that can change a prompt, the tokenizer being out of reach of the template.

Templates cannot read the clock: `strftime_now` formats midnight of the study's date, in UTC.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.arms import Scalar
from study.errors import StudyError, listed, nearest
from study.fact_cache import cached_fact
from study.models.chat_templates.compiled import compiled_template
from study.models.chat_templates.names import CLOCK, GLOBALS, template_names

ChatTemplate = Callable[..., str]
"Renders messages, with or without the prompt of the next assistant turn."
_SECONDS = re.compile("%%|%[-_0^#]*[0-9]*[EO]?s")
"Seconds since 1970, with the flags that C libraries accept; `%%` is a percent sign."
Messages = Sequence[Mapping[str, str]]
"Mappings with `role` and `content`."


@dataclass(frozen=True)
class Rendering:
    """Everything that a chat template can read besides the messages; a usable key of a cache."""

    template: str
    "The text of the template, in Jinja."
    special_tokens: tuple[tuple[str, str], ...]
    "Name and text of the special tokens that the template reads, by name."
    arguments: tuple[tuple[str, str], ...]
    "Name and value of the template arguments, by name; values as JSON, in which 1 is not true."
    date: dt.date | None
    "What the template takes for today; None if it does not read the date."

    def identity(self) -> dict[str, Any]:
        """The parts as JSON, the template by its sha256."""
        return {
            "template": hashlib.sha256(self.template.encode()).hexdigest(),
            "special_tokens": dict(self.special_tokens),
            "arguments": {name: json.loads(value) for name, value in self.arguments},
            "date": self.date.isoformat() if self.date else None,
        }


@dataclass(frozen=True)
class TokenizerTemplate:
    """What a tokenizer contributes to a rendering."""

    text: str | None
    "The chat template that the tokenizer applies by default; None if it has none."
    special_tokens: Mapping[str, str]
    "By name, all special tokens that transformers passes to templates."

    @classmethod
    def of(cls, tokenizer: Any) -> TokenizerTemplate:
        """The template of a transformers tokenizer."""
        template = getattr(tokenizer, "chat_template", None)
        if isinstance(template, dict):
            template = template.get("default")
        special_tokens = {name: str(text) for name, text in tokenizer.special_tokens_map.items()}
        return cls(str(template) if template else None, special_tokens)

    def read(self, arguments: Mapping[str, Scalar], where: str) -> dict[str, Scalar]:
        """Those of the arguments that the template reads; StudyError, naming `where`, if it is not
        valid."""
        names = template_names(self.text, where).arguments if self.text else ()
        return {name: value for name, value in arguments.items() if name in names}


def rendering(
    source: TokenizerTemplate,
    *,
    date: dt.date,
    arguments: Mapping[str, Scalar],
    where: str = "chat template",
) -> Rendering:
    """What a tokenizer's chat template is rendered from, with these template arguments.

    StudyError, naming `where`, if there is no template, if it is not valid, if it reads a clock or
    draws at random, or if it does not read one of the arguments.
    """
    template = source.text
    if template is None:
        raise StudyError(where, found="no chat template", expected="a tokenizer that has one")
    names = template_names(template, where)
    if names.forbidden:
        raise StudyError(
            where,
            found=f"a chat template that uses {listed(names.forbidden)}",
            expected=f"one whose result is always the same, with {listed(sorted(GLOBALS))} at most",
        )
    for name in arguments:
        if name not in names.arguments:
            raise StudyError(
                where,
                f"template_arguments.{name}",
                found="an argument that the chat template does not read",
                expected=f"one of {listed(sorted(names.arguments))}" if names.arguments else "none",
                do=nearest(name, names.arguments),
            )
    special_tokens = {
        name: text for name, text in source.special_tokens.items() if name in names.special_tokens
    }
    return Rendering(
        template,
        tuple(sorted(special_tokens.items())),
        tuple((name, json.dumps(arguments[name])) for name in sorted(arguments)),
        date if names.reads_clock else None,
    )


def argument_names(rendering: Rendering) -> frozenset[str]:
    """Names of the arguments that the template reads, whether it gets them or not."""
    return template_names(rendering.template, "chat template").arguments


def short_prompt(rendering: Rendering, turns: int) -> str:
    """The prompt after `turns` user turns, each message being 'a'. Whatever the template's Jinja
    code raises is passed on."""
    roles = ("user", "assistant") * turns
    messages = [{"role": role, "content": "a"} for role in roles[:-1]]
    date = rendering.date.isoformat() if rendering.date else None
    sources = [rendering.template, rendering.special_tokens, rendering.arguments, date, turns]
    prompt = cached_fact("prompts", sources, lambda: chat_template(rendering)(messages))
    return str(prompt)


def chat_template(rendering: Rendering) -> ChatTemplate:
    """A chat template as lm-eval's tasks call it, with the behaviour of lm-eval's model.

    Like lm-eval's model it retries without system messages where a template refuses them.
    """
    from jinja2 import TemplateError

    def render(messages: Messages, add_generation_prompt: bool = True) -> str:
        options = {
            "add_generation_prompt": add_generation_prompt,
            "continue_final_message": not add_generation_prompt,
        }
        try:
            return render_messages(rendering, messages, **options)
        except TemplateError:
            rest = [message for message in messages if message["role"] != "system"]
            return render_messages(rendering, rest, **options)

    return render


def render_messages(
    rendering: Rendering,
    messages: Messages,
    *,
    add_generation_prompt: bool = False,
    continue_final_message: bool = False,
) -> str:
    """The text of a conversation. Whatever the template's Jinja code raises is passed on."""
    from transformers.utils.chat_template_utils import render_jinja_template

    template = compiled_template(rendering.template)  # which transformers renders
    if rendering.date is not None:
        template.globals[CLOCK] = clock(rendering.date)
    (text,), _ = render_jinja_template(
        [list(messages)],
        chat_template=rendering.template,
        add_generation_prompt=add_generation_prompt,
        continue_final_message=continue_final_message,
        **dict(rendering.special_tokens),
        **{name: json.loads(value) for name, value in rendering.arguments},
    )
    return str(text)


def clock(date: dt.date) -> Callable[[str], str]:
    """What a template gets for `strftime_now`: it formats midnight of the date, in UTC."""
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    seconds = str(int(midnight.timestamp()))

    def strftime_now(format: str) -> str:
        # The C library takes `%s` for local time, whatever the time zone of the date is.
        fixed = _SECONDS.sub(lambda found: seconds if found[0] != "%%" else "%%", format)
        return midnight.replace(tzinfo=None).strftime(fixed)

    return strftime_now
