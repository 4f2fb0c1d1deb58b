"""YAML files are read as what they say; what readers take silently or do not survive is refused."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.yaml_files import MAX_BYTES, check_yaml, read_mapping
from tests.fuzz.mutations import alias_bomb


def _value(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "file.yaml"
    path.write_text(f"x: {text}\n")
    return read_mapping(path)["x"]


READ: dict[str, Any] = {
    "007": 7,
    "-12": -12,
    "010": 10,
    "2.10": 2.1,
    "1e-5": 1e-5,
    "5.0e-05": 5e-5,
    ".5": 0.5,
    ".inf": math.inf,
    "-.inf": -math.inf,
    "true": True,
    "2026-01-02": datetime.date(2026, 1, 2),
    "'2026-01-02'": "2026-01-02",
    "yes": "yes",
    "NO": "NO",
    "1:30": "1:30",
    "1_000": "1_000",
    "0x10": "0x10",
    "NA": "NA",
    "nan": "nan",
    "inf": "inf",
    "1e": "1e",
    "٣": "٣",
    "": None,
    "~": None,
    "null": None,
    "'null'": "null",
    "!!str 5": "5",
    "!!float 5": 5.0,
    '"a\\nb"': "a\nb",
}


@pytest.mark.parametrize("text", READ)
def test_plain_scalars(text: str, tmp_path: Path) -> None:
    value = _value(tmp_path, text)
    assert value == READ[text]
    assert type(value) is type(READ[text])


REFUSED = {
    "a\nx: b": r"line 2: found the key 'x' twice, first in line 1",
    'a\n"\\x78": b': r"found the key 'x' twice",
    "{a: {b: 1, b: 2}}": r"found the key 'b' twice",
    "1\n5: 2": r"line 2: found the key '5', which is no text; .*quotes",
    "1\n? [a]\n: 2": "found a key that is a list or a mapping",
    "!!python/name:os.system": r"line 1: found not YAML: could not determine a constructor",
    "!!binary aGk=": "could not determine a constructor",
    "!!int five": r"'five' with the tag int",
    "!!bool 1": r"'1' with the tag bool",
    "1e999": "the number 1e999; expected a number of 64 bits",
    "9" * 19: "an integer of 19 digits",
    "2026-02-30": "found 2026-02-30; expected a day of the calendar, or a text in quotes",
    "2026-01-01 12:00:00": "found 2026-01-01 12:00:00",
    "&a [*a]": r"an alias \*a without a complete value before it",
    "*a": r"an alias \*a without",
    "1\n---\ny: 2": "not YAML",
    "[": "line 2: found not YAML",
    "\x00": "not YAML",
    "[" * 41 + "]" * 41: "more than 40 mappings and lists inside each other",
    "[" * 100_000: "more than 40 mappings and lists inside each other",
    '{"a":' * 100_000: "more than 40 mappings and lists inside each other",
    "&a [[[[[[[[[1]]]]]]]]]\n"
    + "".join(
        f"y{i}: &a{i} [[[[[[[[[*a{i - 1 if i else ''}]]]]]]]]]\n" for i in range(5)
    ): "more than 40 mappings and lists inside each other",
    "1\n" + alias_bomb(9): "more than 100,000 values, aliases expanded",
    f"'{'x' * MAX_BYTES}'": "more than 1,000,000 bytes",
}


@pytest.mark.parametrize("text", REFUSED, ids=[text[:20] for text in REFUSED])
def test_what_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=REFUSED[text]) as error:
        _value(tmp_path, text)
    assert str(error.value).isprintable()


def test_a_small_number_of_aliases_is_read(tmp_path: Path) -> None:
    assert _value(tmp_path, "&a [1, 2]\ny: *a") == [1, 2]
    assert read_mapping(tmp_path / "file.yaml") == {"x": [1, 2], "y": [1, 2]}


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_bytes(b"\xef\xbb\xbfx: 1")
    assert read_mapping(tmp_path / "file.yaml") == {"x": 1}


def test_a_file_for_another_reader_may_have_its_tags_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("process_docs: !function utils.process\nnames: {0: a, 1: b}\n")
    check_yaml(path)
    path.write_text("task: a\ntask: b\n")
    with pytest.raises(StudyError, match="line 2: found the key 'task' twice"):
        check_yaml(path)
