"""Random changes of parsed content (mappings and lists) and of the bytes of a file.

In: a valid content or its bytes, and a seeded `Random`. Out: the changed one, what was changed, and
whether the change makes every file invalid. The fuzzers of all kinds of input use these.
"""

from __future__ import annotations

import copy
import datetime
import json
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

NASTY: tuple[Any, ...] = (
    True,
    False,
    None,
    math.inf,
    -math.inf,
    math.nan,
    -0.0,
    0,
    -1,
    1,
    2.5,
    1.0,
    1e308,
    5e-324,
    10**20,
    10**400,
    -(10**5000),
    "",
    " ",
    "NA",
    "nan",
    "null",
    "true",
    "1e3",
    "2.10",
    "007",
    "..",
    ".",
    "-",
    "~",
    "a/b",
    "../../a",
    "/etc/passwd",
    "C:\\a",
    "a b ",
    "=1+1",
    "a,b\"c'd",
    "{{ 1/0 }}",
    "{% for x in",
    "{0.__class__}",
    "!function os.system",
    "٣",
    "base-٥shot",
    "base-5shot",
    "base-５shot",
    "naïve",
    "\u202eevil",
    "\u200b",
    "\ufeffa",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\x00b",
    "a\nb",
    "a\r",
    "\x7f",
    "x" * 300,
    "y" * 100_000,
    datetime.date(2026, 1, 1),
    datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC),
    b"bytes",
    [],
    {},
    [None],
    [1, "a"],
    [[]],
    ["a"] * 1000,
    {"a": 1},
    {"": ""},
    {1: 2},
    {None: None},
    {"a": {"b": {"c": []}}},
)
"Values that are often read as something else, or reach a place where they do harm."

Place = tuple[Any, ...]
"Keys and indices that lead to a value."


def places(content: Any, place: Place = ()) -> list[Place]:
    """Where values stand in a content, the content itself excepted."""
    found: list[Place] = [place] if place else []
    if isinstance(content, dict):
        entries = list(content.items())
    else:
        entries = list(enumerate(content)) if isinstance(content, list) else []
    for key, value in entries:
        found += places(value, (*place, key))
    return found


def value_at(content: Any, place: Place) -> Any:
    """The value at a place."""
    for key in place:
        content = content[key]
    return content


def changed_content(content: Any, random: Random) -> tuple[Any, str]:
    """A copy of a mapping or list with one to three changes, and what they are."""
    content = copy.deepcopy(content)
    changes = []
    for _ in range(random.choice((1, 1, 1, 1, 2, 3))):
        if not (where := places(content)):
            break
        place = random.choice(where)
        change = random.choice(CHANGES)
        described = change(value_at(content, place[:-1]), place[-1], random)
        changes.append(f"{'.'.join(map(str, place))[:80]} {described}")
    return content, "; ".join(changes)


def _replace(parent: Any, key: Any, random: Random) -> str:
    parent[key] = copy.deepcopy(random.choice(NASTY))
    return f"replaced by {_short(parent[key])}"


def _drop(parent: Any, key: Any, random: Random) -> str:
    del parent[key]
    return "dropped"


def _repeat(parent: Any, key: Any, random: Random) -> str:
    if isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
        return "repeated"
    parent[f"{key}{random.choice(('', 's', ' ', '_', '2'))}"] = copy.deepcopy(parent[key])
    return "repeated under another key"


def _rename(parent: Any, key: Any, random: Random) -> str:
    if isinstance(parent, list):
        return _replace(parent, key, random)
    names = (str(key).upper(), str(key)[:-1], f"{key}\x1b[2J", f" {key}", 5, None, "", True, "ａ")
    name = random.choice((*names, f"{key}" * 4000))
    parent[name] = parent.pop(key)
    return f"renamed to {_short(name)}"


def _wrap(parent: Any, key: Any, random: Random) -> str:
    value = parent[key]
    wrapped: tuple[Any, ...] = ([value], [value, value], {"a": value}, str(value), {str(value): 1})
    parent[key] = copy.deepcopy(random.choice(wrapped))
    return f"wrapped as {_short(parent[key])}"


def _nest(parent: Any, key: Any, random: Random) -> str:
    depth = random.choice((5, 30, 90))
    value = parent[key]
    for _ in range(depth):
        value = [value] if random.random() < 0.5 else {"a": value}
    parent[key] = value
    return f"nested {depth} deep"


def _perturb(parent: Any, key: Any, random: Random) -> str:
    """A value close to the valid one: it is often still valid."""
    value = parent[key]
    if isinstance(value, bool):
        parent[key] = random.choice((not value, int(value), str(value).lower()))
    elif isinstance(value, int) and abs(value) > 10**300:
        return _replace(parent, key, random)  # no float is so large
    elif isinstance(value, int | float):
        factors = (value + 1, value - 1, -value, value * 1000, value / 3, float(value), str(value))
        parent[key] = random.choice(factors)
    elif isinstance(value, str):
        position = random.randrange(len(value) + 1)
        inserted = random.choice("aé٥\x00\x1b\u202e\n /.-_+={}\u3000" + "\U0001f600")
        parent[key] = value[:position] + inserted + value[position + random.randrange(2) :]
    elif isinstance(value, list):
        random.shuffle(value)
    else:
        return _replace(parent, key, random)
    return f"perturbed to {_short(parent[key])}"


Change = Callable[[Any, Any, Random], str]
CHANGES: tuple[Change, ...] = (
    _replace,
    _replace,
    _replace,
    _replace,
    _drop,
    _repeat,
    _rename,
    _wrap,
    _nest,
    _perturb,
    _perturb,
)


def _short(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**30:
        return "a huge integer"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _Dumper(yaml.SafeDumper):
    """Writes every value in full: no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _integer(dumper: _Dumper, value: int) -> yaml.Node:
    # Python refuses to write integers of more than 4,300 digits in decimal.
    text = str(value) if abs(value) < 10**4000 else f"{'-' * (value < 0)}1{'0' * 5000}"
    return dumper.represent_scalar("tag:yaml.org,2002:int", text)


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    # In quotes: readers differ in which plain texts are numbers, dates and truth values.
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')


_Dumper.add_representer(int, _integer)
_Dumper.add_representer(str, _text)


def as_yaml(content: Any) -> bytes:
    """A content as YAML, which says exactly this content; ASCII with escapes."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False).encode()


def as_json(content: Any) -> bytes:
    """A content as JSON; what JSON has no form for becomes text or Python's NaN and Infinity."""
    finite = _without_huge_integers(content)
    return json.dumps(finite, default=str, skipkeys=True).encode()


def _without_huge_integers(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_huge_integers(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_huge_integers(value) for value in content]
    is_huge = isinstance(content, int) and abs(content) >= 10**4000
    return 10**3000 if is_huge else content


def changed_bytes(data: bytes, random: Random) -> tuple[bytes, str, bool]:
    """The bytes of a text file with one change, what it is, and whether the file is now invalid
    whatever format it has (it is not UTF-8)."""
    change = random.choice(BYTE_CHANGES)
    changed = change(data, random)
    try:
        changed.decode()
    except UnicodeDecodeError:
        return changed, change.__name__.strip("_"), True
    return changed, change.__name__.strip("_"), False


def _truncate(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) or 1)]


def _flip_bits(data: bytes, random: Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(random.choice((1, 1, 4))):
        flipped[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _insert(data: bytes, random: Random) -> bytes:
    inserted = random.choice(
        (
            b"\x00",
            b"\xff\xfe",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\x1b[2J",
            b"\t",
            b"\r",
            b"\n",
            b"\r\n",
            b"\x0c",
            "\u202e".encode(),
            "\u2028".encode(),
            "\x85".encode(),
            b"- ",
            b": ",
            b"#",
            b"&a ",
            b"*a",
            b"!!python/name:os.system ",
            b"!!binary ",
            b"!!set ",
            b"%",
            b"'",
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b"...\n---\n",
        )
    )
    position = random.randrange(len(data) + 1)
    return data[:position] + inserted + data[position:]


def _delete(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data) or 1)
    return data[:start] + data[start + random.choice((1, 1, 2, 10, 100)) :]


def _repeat_line(data: bytes, random: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    source, target = random.randrange(len(lines)), random.randrange(len(lines) + 1)
    return b"".join([*lines[:target], lines[source], *lines[target:]])


def _drop_line(data: bytes, random: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


def _byte_order_mark(data: bytes, random: Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def _other_encoding(data: bytes, random: Random) -> bytes:
    return data.decode(errors="replace").encode(random.choice(("utf-16", "utf-32", "utf-16-le")))


def _carriage_returns(data: bytes, random: Random) -> bytes:
    return data.replace(b"\n", random.choice((b"\r\n", b"\r")))


def _deep_brackets(data: bytes, random: Random) -> bytes:
    depth = random.choice((60, 2000, 100_000))
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nested = opening * depth + random.choice((closing * depth, b""))
    return random.choice((nested, data + b"\nx: " + nested))


def _garbage(data: bytes, random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, 20, 2000)))


ByteChange = Callable[[bytes, Random], bytes]
BYTE_CHANGES: tuple[ByteChange, ...] = (
    _truncate,
    _flip_bits,
    _flip_bits,
    _insert,
    _insert,
    _delete,
    _delete,
    _repeat_line,
    _drop_line,
    _byte_order_mark,
    _other_encoding,
    _carriage_returns,
    _deep_brackets,
    _garbage,
)


def yaml_content(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """What a YAML text says, by PyYAML's own reader, as a second opinion; AssertionError if a key
    stands twice."""
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError:
        # It refuses tabs between tokens, which YAML and libyaml accept.
        text = text.replace("\t", " ")
        node = yaml.compose(text, Loader=loader)
    for mapping in _mappings(node):
        keys = [key.value for key, _ in mapping.value]
        assert len(set(keys)) == len(keys), f"{keys}: a key twice"
    return yaml.load(text, Loader=loader)


def _mappings(node: Any) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)


def alias_bomb(levels: int) -> str:
    """A YAML mapping whose last value is a list of 9 ** `levels` texts, by aliases."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines) + "\n"
