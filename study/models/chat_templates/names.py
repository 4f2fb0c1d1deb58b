"""Names that the text of a chat template refers to.

In: the text, in Jinja. Out: `TemplateNames`: its arguments and special tokens, whether it prints
the date, and what makes it unusable.

Of its global names a template may read only those in `GLOBALS`, so that a clock or a source of
randomness that transformers or Jinja offer is refused, also one that they add later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from study.errors import StudyError
from study.fact_cache import cached_fact
from study.models.chat_templates.compiled import compiled_template

CLOCK = "strftime_now"
GLOBALS = frozenset({CLOCK, "raise_exception", "dict", "namespace", "range", "cycler", "joiner"})
"Global names that a template may read; Jinja's `lipsum` draws random text."
RANDOM_FILTERS = frozenset({"random"})
"Filters of Jinja whose result is not determined by what they are applied to."
RENDERER = frozenset(
    {"messages", "tools", "documents", "add_generation_prompt", "continue_final_message"}
)
"Variables that the renderer sets itself."


@dataclass(frozen=True)
class TemplateNames:
    """What the text of a template refers to."""

    arguments: frozenset[str]
    "Variables that it reads, and that neither it nor the renderer sets in every case."
    special_tokens: frozenset[str]
    "Special tokens that it reads, such as `eos_token`."
    reads_clock: bool
    forbidden: tuple[str, ...]
    "Global names and filters that it uses although their result is not fixed."


@cache
def template_names(template: str, where: str) -> TemplateNames:
    """What a template refers to; StudyError, naming `where`, if it is not valid Jinja."""
    found = cached_fact("template_names", template, lambda: _template_names(template, where))
    return TemplateNames(
        arguments=frozenset(found["arguments"]),
        special_tokens=frozenset(found["special_tokens"]),
        reads_clock=found["reads_clock"],
        forbidden=tuple(found["forbidden"]),
    )


def _template_names(template: str, where: str) -> dict[str, Any]:
    """The fields of `TemplateNames`, as JSON."""
    from jinja2 import meta, nodes

    try:
        environment = compiled_template(template).environment
        tree = environment.parse(template)
        # The names it reads, as Jinja's compiler sees them: global names are not among them.
        variables = frozenset(meta.find_undeclared_variables(tree))
    except Exception as error:  # Jinja raises its own, and whatever Python's compiler does
        raise StudyError(
            where, found=f"a chat template that is not valid: {error}", expected="Jinja"
        ) from None
    read = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    filters = {node.name for node in tree.find_all(nodes.Filter)} & RANDOM_FILTERS
    forbidden = (read & environment.globals.keys()) - GLOBALS | filters
    special_tokens = {name for name in variables if name.endswith("_token")}
    return {
        "arguments": sorted(variables - RENDERER - special_tokens),
        "special_tokens": sorted(special_tokens),
        "reads_clock": CLOCK in read,
        "forbidden": sorted(forbidden),
    }
