"""Chat templates compiled in a sandbox with transformers' settings and a budget.

In: the text of a template. Out: a compiled template. Once it is needed, transformers itself renders
with it as well, whoever calls transformers: its own sandbox limits what a template can reach, not
how long it computes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

    from study.bounded_jinja.environment import BoundedEnvironment


@cache
def template_environment() -> BoundedEnvironment:
    """The sandbox of chat templates, which from now on is that of transformers too."""
    from transformers.utils import chat_template_utils

    from study.bounded_jinja.environment import BoundedEnvironment

    environment = BoundedEnvironment(chat_template_utils._compile_jinja_template("").environment)
    used = chat_template_utils.render_jinja_template.__code__.co_names
    if "_compile_jinja_template" not in used:
        raise RuntimeError("transformers compiles templates in another way: they are not bounded")
    chat_template_utils._compile_jinja_template = compiled_template
    return environment


@cache
def compiled_template(template: str) -> Template:
    """The template, the same object each time."""
    return template_environment().from_string(template)
