"""Jinja templates of the study file, rendered over a document.

In: a template of `fields` or `wordings`, and a document. Out: text. The environment is a sandbox
with the settings and filters of lm-eval's own: a template can read the document and compute with
it within a budget, and can neither reach code nor change the document. Templates of task files are
rendered by lm-eval, in its own environment, which is no sandbox (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from study.errors import StudyError

if TYPE_CHECKING:
    from jinja2 import Template

    from study.bounded_jinja.environment import BoundedEnvironment


def render_template(template: str, document: Mapping[str, Any], where: str, key: str) -> str:
    """Render a template; StudyError, which names `where` and `key`, if that is impossible."""
    try:
        return _compiled(template).render(**document)
    except Exception as error:  # a template may make Jinja or a filter raise anything
        raise StudyError(
            where,
            key,
            found=f"{template!r}: {type(error).__name__}: {error}",
            expected=f"a Jinja template over the fields {', '.join(map(str, document))}",
        ) from None


@cache
def sandbox() -> BoundedEnvironment:
    """The environment of templates in study files."""
    from lm_eval.utils import env

    from study.bounded_jinja.environment import BoundedEnvironment

    environment = BoundedEnvironment(env)
    # A prompt is the same each time that it is rendered.
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


@cache
def _compiled(template: str) -> Template:
    return sandbox().from_string(template)
