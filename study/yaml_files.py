"""YAML files: read as exactly what they say, or refused with the line of the fault.

In: a path. Out: a mapping (`read_mapping`); or nothing, for a file that another library reads
(`check_yaml`). StudyError for what YAML readers accept silently or cannot survive: a key that
stands twice, aliases that expand to more than `MAX_VALUES`, nesting deeper than `MAX_DEPTH`.

A plain scalar is what the core schema of YAML 1.2 says, without octal and hexadecimal integers, but
with dates: `yes`, `1:30` and `1_000` are texts, `1e-5` and `010` are numbers.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import BaseResolver

from study.errors import StudyError

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
"Mappings and lists inside each other, aliases expanded."
MAX_VALUES = 100_000
"Texts, numbers, mappings and lists, aliases expanded."
MAX_DIGITS = 18
"Digits of an integer: it fits 64 bits."
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Fault(yaml.YAMLError):
    """A file that is YAML and is refused all the same."""

    def __init__(self, found: str, expected: str, mark: Any) -> None:
        super().__init__(found)
        self.found, self.expected, self.mark = found, expected, mark


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; its keys are texts, and no tag makes an object or runs code."""
    content = _read(path, _Reader.get_single_data)
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise StudyError(path, found=found, expected="a YAML mapping")
    return content


def check_yaml(path: Path) -> None:
    """StudyError for a file that is not YAML, or that a reader of YAML would not survive or would
    read as something else; whatever tags it has."""
    _read(path, _Reader.get_single_node)


def _read(path: Path, read: Any) -> Any:
    try:
        return read(_Reader(_events(_text(path))))
    except _Fault as fault:
        line = f"line {fault.mark.line + 1}" if fault.mark else None
        raise StudyError(path, line, found=fault.found, expected=fault.expected) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else None
        problem = getattr(error, "problem", None) or re.sub(r"\s+", " ", str(error))
        raise StudyError(
            path, line, found=f"not YAML: {problem}", expected="a YAML mapping"
        ) from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(path, found=f"{error}", expected="text in UTF-8") from None
    except OSError as error:
        raise StudyError(path, found=error.strerror, expected="a readable file") from None
    if len(data) > MAX_BYTES:
        raise StudyError(
            path, found=f"more than {MAX_BYTES:,} bytes", expected="a YAML file of at most so many"
        )
    return text


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events, as long as what they describe stays within the limits."""
    n_values = 0
    anchored: dict[str, tuple[int, int]] = {}  # number of values and depth of an anchored value
    starts: list[tuple[str | None, int]] = []  # anchor and number of values before it
    depths = [0]  # of the values inside each open collection
    for event in yaml.parse(text, Loader=_Parser):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:
                raise _Fault(
                    f"an alias *{event.anchor} without a complete value before it",
                    "the value itself",
                    event.start_mark,
                )
            values, depth = anchored[event.anchor]
            n_values += values
            depths[-1] = max(depths[-1], depth)
        elif isinstance(event, yaml.CollectionStartEvent):
            starts.append((event.anchor, n_values))
            depths.append(0)
            n_values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = starts.pop()
            depth = depths.pop() + 1
            depths[-1] = max(depths[-1], depth)
            if anchor:
                anchored[anchor] = (n_values - before, depth)
        elif isinstance(event, yaml.ScalarEvent):
            n_values += 1
            if event.anchor:
                anchored[event.anchor] = (1, 0)
        if len(starts) + depths[-1] > MAX_DEPTH:
            found = f"more than {MAX_DEPTH} mappings and lists inside each other"
            raise _Fault(found, "fewer", event.start_mark)
        if n_values > MAX_VALUES:
            found = f"more than {MAX_VALUES:,} values, aliases expanded"
            raise _Fault(found, "fewer", event.start_mark)
        yield event


class _Reader(Composer, SafeConstructor, BaseResolver):
    """From events to nodes and values."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {}

    def __init__(self, events: Iterable[yaml.Event]) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        BaseResolver.__init__(self)
        self._iterator = iter(events)
        self._next: yaml.Event | None = None

    def peek_event(self) -> yaml.Event | None:
        """The next event; None after the last one."""
        if self._next is None:
            self._next = next(self._iterator, None)
        return self._next

    def check_event(self, *kinds: type[yaml.Event]) -> bool:
        """Whether the next event is of one of these kinds."""
        return isinstance(self.peek_event(), kinds)

    def get_event(self) -> yaml.Event | None:
        """The next event, which is then past."""
        event, self._next = self.peek_event(), None
        return event

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping; every key is a scalar that stands there once."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Fault("a key that is a list or a mapping", "a text", key.start_mark)
            if key.value in lines:
                raise _Fault(
                    f"the key {key.value!r} twice, first in line {lines[key.value]}",
                    "each key once",
                    key.start_mark,
                )
            lines[key.value] = key.start_mark.line + 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """The values of a mapping by keys that are texts."""
        for key, _ in node.value:
            if key.tag != _TAG + "str":
                raise _Fault(
                    f"the key {key.value!r}, which is no text",
                    "a text as a key; write it in quotes",
                    key.start_mark,
                )
        return super().construct_mapping(node, deep=deep)

    def construct_bool(self, node: yaml.ScalarNode) -> bool:
        """`true` or `false`."""
        return self._scalar(node, r"(true|false)") == "true"

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """A decimal integer of at most `MAX_DIGITS` digits."""
        text = self._scalar(node, _INTEGER)
        if len(text.lstrip("+-")) > MAX_DIGITS:
            found = f"an integer of {len(text)} digits"
            raise _Fault(found, f"at most {MAX_DIGITS} digits", node.start_mark)
        return int(text)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        """A decimal number, `.inf` or `.nan`."""
        text = self._scalar(node, f"{_NUMBER}|{_INTEGER}|{_SPECIAL}")
        if re.fullmatch(_SPECIAL, text):
            return float(text.replace(".", ""))
        if math.isinf(value := float(text)):
            raise _Fault(f"the number {text}", "a number of 64 bits", node.start_mark)
        return value

    def construct_date(self, node: yaml.ScalarNode) -> datetime.date:
        """A date, year-month-day."""
        text = self._scalar(node, _TIMESTAMP)
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            expected = "a day of the calendar, or a text in quotes"
            raise _Fault(text, expected, node.start_mark) from None

    def _scalar(self, node: yaml.ScalarNode, pattern: str) -> str:
        text = str(self.construct_scalar(node))
        if not re.fullmatch(pattern, text, flags=re.ASCII):
            kind = node.tag.removeprefix(_TAG)
            raise _Fault(f"{text!r} with the tag {kind}", "a value of that type", node.start_mark)
        return text


_TAG = "tag:yaml.org,2002:"
_INTEGER = r"[-+]?[0-9]+"
_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"
_SPECIAL = r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
_TIMESTAMP = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"
_PLAIN = {
    "null": (r"~|null|", ["~", "n", ""]),
    "bool": (r"true|false", list("tf")),
    "int": (_INTEGER, list("-+0123456789")),
    "float": (f"{_NUMBER}|{_SPECIAL}", list("-+.0123456789")),
    "timestamp": (_TIMESTAMP, list("0123456789")),
}
"By type, what plain scalars of it look like, and their first characters."
_CONSTRUCTORS: dict[str, Any] = {
    "null": SafeConstructor.construct_yaml_null,
    "bool": _Reader.construct_bool,
    "int": _Reader.construct_int,
    "float": _Reader.construct_float,
    "timestamp": _Reader.construct_date,
    "str": SafeConstructor.construct_yaml_str,
    "seq": SafeConstructor.construct_yaml_seq,
    "map": SafeConstructor.construct_yaml_map,
}
"By type, what makes its values; other tags are refused."
for _type, (_pattern, _first) in _PLAIN.items():
    _Reader.add_implicit_resolver(_TAG + _type, re.compile(rf"(?:{_pattern})\Z"), _first)
for _type, _constructor in _CONSTRUCTORS.items():
    _Reader.yaml_constructors[_TAG + _type] = _constructor
_Reader.yaml_constructors[None] = SafeConstructor.construct_undefined
