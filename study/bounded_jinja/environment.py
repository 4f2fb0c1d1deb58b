"""The sandbox: Jinja's own, with a budget for each rendering.

In: an environment with its settings, filters and global names. Out: a sandboxed one that renders
the same text, or raises TemplateLimitError. Whatever a template can do passes through here: calls,
filters, tests and operators, and through `syntax_tree` what Jinja compiles to plain Python.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import wraps
from string import Formatter
from typing import Any

from jinja2 import Environment, Template, nodes, pass_context
from jinja2.runtime import Context, Macro
from jinja2.sandbox import (
    ImmutableSandboxedEnvironment,
    SandboxedEscapeFormatter,
    SandboxedFormatter,
)
from markupsafe import Markup
from typing_extensions import override

from study.bounded_jinja.budget import (
    STEP,
    budget,
    counted,
    nested_call,
    size_of,
    spend,
    spend_size,
    spend_values,
)
from study.bounded_jinja.growth import (
    filter_growth,
    format_width,
    method_growth,
    operation_growth,
)
from study.bounded_jinja.syntax_tree import MEASURED, SPENT, CostedTree

SETTINGS = (
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "line_statement_prefix",
    "line_comment_prefix",
    "trim_blocks",
    "lstrip_blocks",
    "newline_sequence",
    "keep_trailing_newline",
    "undefined",
    "autoescape",
)
"Of Jinja's environments: those that change what a template renders."
DICT_LOOKUPS = frozenset({"get", "items", "keys", "values"})
"Methods whose cost does not depend on the size of their mapping."
CONSUMERS = frozenset({"join", "sum"})
"Filters and methods that read an iterator to its end, and whose result depends on its length."


class BoundedTemplate(Template):
    """A template that is rendered with a budget."""

    @override
    def render(self, *args: Any, **kwargs: Any) -> str:
        with budget():
            return super().render(*args, **kwargs)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox with the settings, extensions, filters, tests and global names of another
    environment."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    template_class = BoundedTemplate

    def __init__(self, like: Environment) -> None:
        super().__init__(
            **{name: getattr(like, name) for name in SETTINGS},
            extensions=[type(extension) for extension in like.extensions.values()],
            finalize=_measured,
            optimized=False,
        )
        own_range = self.globals["range"]
        self.globals.update(like.globals)
        self.globals["range"] = own_range
        self.filters = {name: _bounded(name, like.filters[name]) for name in like.filters}
        self.tests = {name: _bounded(name, like.tests[name]) for name in like.tests}
        self.filters |= {SPENT: pass_context(_spent), MEASURED: _measured}

    @override
    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        CostedTree().visit(source)
        source.set_environment(self)
        return super()._generate(source, *args, **kwargs)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        if not isinstance(argument, str | int):
            spend_values((argument,))  # it is hashed
        return super().getitem(obj, argument)

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        spend_values((left, right))
        spend_size(operation_growth(operator, left, right))
        return _measured(super().call_binop(context, operator, left, right))

    @override
    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        with nested_call():
            args = _spend_call(__obj, args, kwargs)
            return _measured(super().call(__context, __obj, *args, **kwargs))

    @override
    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is None:
            return None
        text, is_map = value.__self__, value.__name__ == "format_map"
        kind = _EscapeFormatter if isinstance(text, Markup) else _Formatter
        formatter = kind(self, escape=text.escape) if isinstance(text, Markup) else kind(self)

        @wraps(value)
        def bounded(*args: Any, **kwargs: Any) -> str:
            if is_map:
                (kwargs,), args = args, ()
            formatted: str = type(text)(formatter.vformat(text, args, kwargs))
            return formatted

        return bounded


def _spend_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Take the cost of a call; the arguments, of which an iterator may have become a list."""
    spend(STEP * (1 + len(args) + len(kwargs)))
    if isinstance(function, Macro):
        return args
    spend_values((*args, *kwargs.values()))
    if not isinstance(function, types.BuiltinMethodType):
        return args
    owner, name = function.__self__, function.__name__
    if not (isinstance(owner, dict) and name in DICT_LOOKUPS):
        spend_values((owner,))
    if name in CONSUMERS:
        args = _without_iterators(args)
    spend_size(method_growth(owner, name, [*args, *kwargs.values()]))
    return args


def _bounded(name: str, function: Any) -> Callable[..., Any]:
    """A filter or test that takes its cost from the budget."""
    growth = filter_growth(name, function)

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        if name in CONSUMERS:
            args = _without_iterators(args)
        spend_values((*args, *kwargs.values()))
        if growth is not None:
            spend_size(growth(args, kwargs))
        result = function(*args, **kwargs)
        return counted(result) if hasattr(result, "__next__") else _measured(result)

    return bounded


def _without_iterators(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(list(value) if hasattr(value, "__next__") else value for value in args)


def _measured(value: Any) -> Any:
    """The value, once its cost is taken."""
    spend_values((value,))
    return value


def _spent(context: Context, cost: int) -> bool:
    spend(cost)
    return True


class _BoundedFields(Formatter):
    """Fields of `str.format` take the cost of their value and of the width they ask for."""

    @override
    def convert_field(self, value: Any, conversion: Any) -> Any:
        spend_values((value,))
        return super().convert_field(value, conversion)

    @override
    def format_field(self, value: Any, format_spec: str) -> Any:
        spend_size(size_of(value) + format_width(format_spec))
        return super().format_field(value, format_spec)


class _Formatter(_BoundedFields, SandboxedFormatter):
    """Of plain text."""


class _EscapeFormatter(_BoundedFields, SandboxedEscapeFormatter):
    """Of markup."""
