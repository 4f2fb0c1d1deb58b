"""The one error that users see: where, what was found, what was expected, what to do.

In: the parts of the message. Out: `StudyError`, which the command line prints without a traceback
before it exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class StudyError(Exception):
    """Invalid input from the user, or a corrupted file."""

    def __init__(
        self,
        where: str | Path,
        key: str | None = None,
        *,
        found: object,
        expected: str,
        do: str = "",
    ) -> None:
        """`where` is a file or folder, `key` a location in it; `do` says how to fix it."""
        self.where, self.key, self.found, self.expected, self.do = where, key, found, expected, do
        place = f"{where}: {key}" if key else f"{where}"
        super().__init__(f"{place}: found {found}; expected {expected}{'. ' + do if do else ''}")


def nearest(word: object, allowed: Iterable[str]) -> str:
    """'Did you mean …?' with the closest match among `allowed`, or '' if there is none."""
    near = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: the first `most`, then the number of the others."""
    names = list(names)
    more = f", … ({len(names) - most} more)" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
