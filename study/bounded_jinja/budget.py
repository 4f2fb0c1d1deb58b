"""The budget of one rendering: how much a template may compute, and how large its values may be.

In: values, as a template computes them. Out: their sizes; TemplateLimitError once the limits are
exceeded. Costs are counted, not timed, so that a template is refused on every machine or on none.
Their unit is a character that is copied; a step (an operation, a call, an element of a list) costs
as much as `STEP` of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

STEP = 64
MAX_COST = 2**26
"Of a rendering: a million steps, or 67 million characters."
MAX_SIZE = 2**23
"Of a value with everything in it: 8 million characters, more than any context window holds."
MAX_BITS = 2**14
"Of an integer; Python refuses to print longer ones."
MAX_DEPTH = 100
"Of calls in calls."


class TemplateLimitError(Exception):
    """A template computes too much, or makes a value that is too large."""


class _Budget:
    def __init__(self) -> None:
        self.cost = 0
        self.depth = 0


_BUDGET: ContextVar[_Budget] = ContextVar("budget")
"Of the current rendering. Outside of one nothing can be spent: LookupError."


@contextmanager
def budget() -> Iterator[None]:
    """A new budget, for the rendering of one template."""
    token = _BUDGET.set(_Budget())
    try:
        yield
    finally:
        _BUDGET.reset(token)


def spend(cost: int) -> None:
    """Take a cost from the budget; TemplateLimitError if it is exhausted."""
    current = _BUDGET.get()
    current.cost += cost
    if current.cost > MAX_COST:
        raise TemplateLimitError(f"it computes more than {MAX_COST // STEP:,} steps")


def spend_size(size: int) -> None:
    """Take the cost of a value of this size; TemplateLimitError if there must be no such value."""
    if size > MAX_SIZE:
        raise TemplateLimitError(f"it makes a value of more than {MAX_SIZE:,} characters")
    spend(size)


def spend_values(values: Iterable[Any]) -> None:
    """Take the cost of values that are read."""
    spend_size(STEP + sum(map(size_of, values)))


@contextmanager
def nested_call() -> Iterator[None]:
    """A call; TemplateLimitError if it is in too many others."""
    current = _BUDGET.get()
    current.depth += 1
    try:
        if current.depth > MAX_DEPTH:
            raise TemplateLimitError(f"it has more than {MAX_DEPTH} calls in calls")
        yield
    finally:
        current.depth -= 1


def size_of(value: Any) -> int:
    """Characters of a value, an element of a collection counting as a step; a value that occurs
    twice counts twice, as it does where it is printed or compared."""
    if isinstance(value, str | bytes):
        return len(value)
    size, values = 0, [value]
    while values and size <= MAX_SIZE:
        value = values.pop()
        if isinstance(value, str | bytes):
            size += len(value)
            continue
        size += STEP
        if isinstance(value, int):
            if value.bit_length() > MAX_BITS:
                raise TemplateLimitError(f"it makes an integer of more than {MAX_BITS:,} bits")
        elif isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            values += value
        elif isinstance(value, range):
            size += STEP * len(value)
        else:
            values += _attributes(value)
    return size


def _attributes(value: Any) -> list[Any]:
    """What a template has stored in a Jinja namespace; anything else is not looked into."""
    from jinja2.utils import Namespace

    if not isinstance(value, Namespace):
        return []
    attributes: dict[str, Any] = object.__getattribute__(value, "_Namespace__attrs")
    return list(attributes.values())


def counted(values: Iterator[Any]) -> Iterator[Any]:
    """The values of an iterator, each of which costs what its size does."""
    for value in values:
        spend_values((value,))
        yield value
