"""JSON that others wrote, read strictly: every fault has a file and a place.

In: a file or a line. Out: `JsonValue`, which knows where it stands and checks what it is asked for.
A key that stands twice, nesting beyond all measure, and text that is not UTF-8 are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError

MAX_SHOWN = 80


@dataclass(frozen=True)
class JsonValue:
    """A value of a file, and where it stands; None where there is none."""

    path: Path
    place: str
    "Keys that lead to it, after the line and a colon in a file of lines."
    value: Any

    def error(self, expected: str, do: str = "") -> StudyError:
        """An error about this value, to be raised by the caller."""
        return StudyError(
            self.path,
            self.place.rstrip(":") or None,
            found=_shown(self.value),
            expected=expected,
            do=do,
        )

    def get(self, key: str) -> JsonValue:
        """The value of a key; StudyError if this is not a mapping, None if it lacks the key."""
        joint = "" if not self.place else " " if self.place.endswith(":") else "."
        return JsonValue(self.path, f"{self.place}{joint}{key}", self.mapping().get(key))

    def items(self) -> Iterator[tuple[str, JsonValue]]:
        """Keys and values of a mapping."""
        return ((key, self.get(key)) for key in self.mapping())

    def mapping(self) -> dict[str, Any]:
        """The mapping that it is; empty if there is none."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.error("a mapping")
        return self.value

    def list_of(self, kind: type) -> list[Any]:
        """The list of values of one type that it is; empty if there is none."""
        if self.value is None:
            return []
        if not isinstance(self.value, list) or not all(isinstance(v, kind) for v in self.value):
            raise self.error(f"a list of {kind.__name__}")
        return self.value

    def text(self) -> str:
        """The text that it is; empty if there is none."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str) or not _is_unicode(self.value):
            raise self.error("a text")
        return self.value

    def flag(self, otherwise: bool) -> bool:
        """True or false; `otherwise` if there is none."""
        if self.value is None:
            return otherwise
        if not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def number(self) -> float:
        """The finite number that it is; true and false are none."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error("a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error("a finite number")
        return number

    def whole(self, least: int = 0) -> int:
        """The whole number that it is."""
        number = self.number()
        if not number.is_integer() or not least <= number < 2**53:
            raise self.error(f"a whole number of at least {least}")
        return int(number)


def read_json(path: Path) -> JsonValue:
    """The content of a file; StudyError if it is no JSON."""
    try:
        if not path.is_file():
            raise StudyError(path, found="no file", expected="a file of JSON")
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(path, found=error.strerror, expected="a readable file") from None
    return parse_json(path, "", content)


def parse_json(path: Path, place: str, content: bytes) -> JsonValue:
    """The value that a text says; StudyError naming the place if it is no JSON."""
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_repeated_keys)
    except RecursionError:
        found = "brackets nested too deeply"
    except ValueError as error:  # also of what is not UTF-8
        found = f"not JSON ({error})"
    else:
        return JsonValue(path, place, value)
    raise StudyError(path, place.rstrip(":") or None, found=found, expected="JSON in UTF-8")


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated[:MAX_SHOWN]!r} stands twice in a mapping")
    return mapping


def _is_unicode(text: str) -> bool:
    """Whether a text is free of lone surrogates, which JSON can spell and UTF-8 cannot."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**MAX_SHOWN:
        return "a huge number"
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} …"
