"""Results that may be much larger than their arguments, or take much longer to compute.

In: an operator, filter or method with its arguments. Out: a bound of the result's size, before
anything is computed; a cost that is more than that is taken from the budget. What is not named here
is at most proportional to its arguments, which the sandbox measures.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from study.bounded_jinja.backtracking import matching_cost
from study.bounded_jinja.budget import (
    MAX_BITS,
    MAX_SIZE,
    STEP,
    TemplateLimitError,
    size_of,
    spend,
)

NESTING = 100
"Of collections that are printed; Python refuses deeper ones."
MAX_DIGITS = 400
"To which a number may be rounded; no float has more."
_NUMBER = re.compile(r"[0-9]+")
_CONVERSION = re.compile(r"%(?:\([^)]*\))?[-#0 +]*([0-9]+|\*)?(?:\.([0-9]+|\*))?")
UTF = frozenset({"utf-8", "utf8", "utf-16", "utf-32", "ascii", "latin-1"})


def operation_growth(operator: str, left: Any, right: Any) -> int:
    """Of a binary operator."""
    if operator == "*":
        return max(_repeated(left, right), _repeated(right, left))
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(abs(right) * left.bit_length())
    if operator == "%" and isinstance(left, str | bytes):
        return _conversions(left, right)
    return 0


def method_growth(owner: Any, name: str, values: Sequence[Any]) -> int:
    """Of a method of Python's own types; `values` are its arguments."""
    length, first = _length(owner), values[0] if values else None
    if name in ("center", "ljust", "rjust", "zfill", "to_bytes"):
        return _number(first)
    if name == "expandtabs":
        return length * max(8, _number(first))
    if name == "replace" and len(values) > 1:
        return _replaced(owner, first, values[1])
    if name == "join":
        return length * _length(first)
    if name == "translate":
        return length * size_of(first)
    if name in ("strip", "lstrip", "rstrip", "rfind", "rindex", "rsplit", "rpartition"):
        return _pairs(owner, _length(first))
    if name in ("encode", "decode") and not UTF.issuperset(values):
        return _searched(owner)
    return 0


Growth = Callable[[tuple[Any, ...], dict[str, Any]], int]
"From the arguments of a filter."


def filter_growth(name: str, function: Callable[..., Any]) -> Growth | None:
    """Of a filter of Jinja, transformers or lm-eval; None if it does not grow."""
    if name not in FILTERS:
        return None
    signature = inspect.signature(function)

    def growth(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:  # the filter will say so
            return 0
        bound.apply_defaults()
        return FILTERS[name](bound.arguments)

    return growth


def format_width(text: str) -> int:
    """Of the fields that a format specification asks for."""
    return sum(_written(number) for number in _NUMBER.findall(text))


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise TemplateLimitError(f"it makes an integer of more than {MAX_BITS:,} bits")


def _repeated(value: Any, times: Any) -> int:
    collection = isinstance(value, str | bytes | list | tuple)
    return size_of(value) * _number(times) if collection else 0


def _replaced(text: Any, old: Any, new: Any) -> int:
    if isinstance(text, str) and isinstance(old, str):
        return len(text) + text.count(old) * _length(new)
    return _length(text) * (1 + _length(new))


def _conversions(text: str | bytes, values: Any) -> int:
    """Of `text % values`."""
    pattern = text if isinstance(text, str) else text.decode("latin-1")
    if pattern.count("%(") * len(pattern) > MAX_SIZE:  # the search below would take as long
        return MAX_SIZE + 1
    found = _CONVERSION.findall(pattern)
    stars = max(map(_number, values), default=0) if isinstance(values, tuple) else 0
    widths = [stars if width == "*" else _written(width) for pair in found for width in pair]
    return len(pattern) + sum(widths) + len(found) * size_of(values)


def _searched(text: Any) -> int:
    """Searched from each of its positions."""
    spend(_length(text) ** 2 // STEP)
    return 0


def _pairs(value: Any, length: int) -> int:
    """Each part of the value with each of so many others."""
    spend(_length(value) * length // STEP)
    return 0


def _as_json(given: dict[str, Any]) -> int:
    size = size_of(given.get("x", given.get("value")))
    indent = given.get("indent")
    around = _length(indent) + _number(indent) + size_of(given.get("separators"))
    return 12 * size + (size // STEP + 1) * NESTING * around


def _rounded(given: dict[str, Any]) -> int:
    if _number(abs(given["precision"])) > MAX_DIGITS:
        raise TemplateLimitError(f"it rounds to more than {MAX_DIGITS} digits")
    return 0


def _regex_replaced(given: dict[str, Any]) -> int:
    text, pattern, new = given["string"], given["pattern"], given["repl"]
    if isinstance(text, str) and isinstance(pattern, str):
        spend(matching_cost(pattern, len(text)))
        return (len(text) + 1) * (_length(new) + 1)
    return 0


def _indented(given: dict[str, Any]) -> int:
    lines = len(given["s"].splitlines()) + 1 if isinstance(given["s"], str) else 1
    return lines * max(_number(given["width"]), _length(given["width"]))


FILTERS: dict[str, Callable[[dict[str, Any]], int]] = {
    "batch": lambda given: _number(given["linecount"]) * STEP,
    "center": lambda given: _number(given["width"]),
    "format": lambda given: _conversions(str(given["value"]), given["args"] or given["kwargs"]),
    "indent": _indented,
    "join": lambda given: _length(given["value"]) * _length(given["d"]),
    "pprint": lambda given: _pairs(given["value"], NESTING * size_of(given["value"])),
    "regex_replace": _regex_replaced,
    "replace": lambda given: _replaced(given["s"], given["old"], given["new"]),
    "round": _rounded,
    "striptags": lambda given: _searched(given["value"]),
    "sum": lambda given: _pairs(given["iterable"], size_of(given["iterable"])),
    "tojson": _as_json,
    "trim": lambda given: _pairs(given["value"], _length(given["chars"])),
    "urlize": lambda given: _searched(given["value"]),
    "wordwrap": lambda given: (
        _searched(given["s"]) + _length(given["s"]) * _length(given["wrapstring"])
    ),
}
"By name, from the arguments of the filter by their names."


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | dict | range) else 0


def _number(value: Any) -> int:
    return abs(value) if isinstance(value, int) else 0


def _written(digits: str) -> int:
    return int(digits or 0) if len(digits) < 10 else MAX_SIZE + 1
