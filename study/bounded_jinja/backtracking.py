"""Regular expressions: how long Python's matcher may take, which tries one way after the other.

In: an expression and the length of a text. Out: a bound of the number of ways in which the matcher
may try it, over all positions of the text. Python's `re` has no limit of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from study.bounded_jinja.budget import MAX_COST

LIMIT = MAX_COST + 1
"Larger bounds are all the same: they are refused."


def matching_cost(pattern: str, length: int) -> int:
    """The bound for a text of this length, `LIMIT` at most; 0 if the pattern is not valid, which
    costs nothing."""
    try:
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError):
        return 0
    return min((length + 1) * _ways(parsed, length), LIMIT)


def _ways(parsed: Iterable[tuple[Any, Any]], length: int) -> int:
    """In which a sequence of parts may be tried from one position."""
    product = 1
    for operation, argument in parsed:
        product = min(product * _ways_of(str(operation), argument, length), LIMIT)
    return product


def _ways_of(operation: str, argument: Any, length: int) -> int:
    if operation.endswith("_REPEAT"):
        _, most, body = argument
        times, ways = min(int(most), length), _ways(body, length)
        # Each repetition may be tried in as many ways as its body.
        return times + 1 if ways == 1 else min((times + 1) * ways ** min(times, 24), LIMIT)
    if operation == "SUBPATTERN":
        return _ways(argument[-1], length)
    if operation == "ATOMIC_GROUP":
        return _ways(argument, length)
    if operation in ("ASSERT", "ASSERT_NOT"):
        return _ways(argument[1], length)
    if operation == "BRANCH":
        return sum(_ways(branch, length) for branch in argument[1])
    if operation == "GROUPREF_EXISTS":
        return sum(_ways(branch, length) for branch in argument[1:] if branch)
    return 1
