"""Conversations for tests of chat templates, and rendering them with a tokenizer's template."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.config.arms import Scalar
from study.models.chat_templates.rendering import (
    Messages,
    Rendering,
    TokenizerTemplate,
    chat_template,
    rendering,
)
from study.models.pairs import Pair, zoo
from study.models.tokenizers import load_tokenizer

TUNED = Path(zoo()[0].tuned.path)
DATE = dt.date(2026, 1, 1)
MESSAGES = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "V"},
]
TURNS = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
"A template that does nothing but end each turn."


def tokenizer_with(template: str) -> Any:
    """A tokenizer of the zoo with this chat template, in Jinja."""
    tokenizer = load_tokenizer(TUNED)
    tokenizer.chat_template = template
    return tokenizer


def pair_with(folder: Path, name: str, template: str, **keys: Any) -> dict[str, Any]:
    """A pair of the zoo in a folder of its own, with this chat template, as in a study file; the
    next one of the zoo for each further folder."""
    pair = zoo()[len(list(folder.glob("*/tuned")))]
    tuned = folder / name / "tuned"
    shutil.copytree(pair.tuned.path, tuned)
    (tuned / "chat_template.jinja").write_text(template)
    return {**pair_of(pair, tuned, name), **keys}


def pair_of(pair: Pair, tuned: Path, name: str) -> dict[str, Any]:
    """A pair of the zoo with another tuned model, listed in full as in a study file."""
    return {
        "base": pair.base.path,
        "tuned": str(tuned),
        "name": name,
        "family": "f",
        "params_b": pair.params_b,
    }


def of(
    tokenizer: Any, date: dt.date = DATE, /, where: str = "here", **arguments: Scalar
) -> Rendering:
    """What the tokenizer's chat template is rendered from."""
    source = TokenizerTemplate.of(tokenizer)
    return rendering(source, date=date, arguments=arguments, where=where)


def render(
    tokenizer: Any,
    messages: Messages,
    *,
    date: dt.date = DATE,
    arguments: Mapping[str, Scalar] | None = None,
    add_generation_prompt: bool = True,
) -> str:
    """The conversation in the tokenizer's chat template, as lm-eval's tasks have it rendered."""
    rendered_from = of(tokenizer, date, **(arguments or {}))
    return chat_template(rendered_from)(messages, add_generation_prompt=add_generation_prompt)
