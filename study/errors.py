"""The one error that users see: where, what was found, what was expected, what to do.

In: the parts of the message. Out: `StudyError`, which the command line prints without a traceback
before it exits with code 2. Its message is one line of limited length in which nothing acts on a
terminal, whatever a file or a model has put into it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

MAX_MESSAGE = 2000
"Characters of an error's message; the middle of a longer one is elided."


def printable(text: object, most: int | None = None) -> str:
    """A text on one line with everything escaped that does not print: control characters, terminal
    sequences, line breaks, directional overrides, lone surrogates.

    If it is longer than `most` characters, its middle is elided.
    """
    line = str(text)
    if not line.isprintable():
        line = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
        )
    if most is None or len(line) <= most:
        return line
    elided = " … "
    tail = (most - len(elided)) // 2
    return line[: most - len(elided) - tail] + elided + line[len(line) - tail :]


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
        message = f"{place}: found {found}; expected {expected}{'. ' + do if do else ''}"
        super().__init__(printable(message, MAX_MESSAGE))


def nearest(word: object, allowed: Iterable[str]) -> str:
    """'Did you mean …?' with the closest match among `allowed`, or '' if there is none."""
    near = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: the first `most`, then the number of the others."""
    names = list(names)
    more = f", … ({len(names) - most} more)" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
