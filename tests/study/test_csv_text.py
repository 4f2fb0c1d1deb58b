"""CSV files: cells are texts, numbers are plain decimals, every fault has its line."""

from __future__ import annotations

import pytest

from study.csv_text import MAX_CELL, name_of, number_of, read_csv_table, whole_number_of
from study.errors import StudyError


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\nNA,007\ntrue,\n",
        b"\xef\xbb\xbfa,b\r\nNA,007\r\n\r\ntrue,\r\n",
        b'"a",b\rNA,"007"\rtrue,""',
    ],
)
def test_cells_are_what_the_file_says(content: bytes) -> None:
    table = read_csv_table("f.csv", content)
    assert table.columns == ["a", "b"]
    assert table.rows == [["NA", "007"], ["true", ""]]


def test_rows_know_their_first_lines() -> None:
    table = read_csv_table("f.csv", b'a,b\n\n"x\ny",2\n3,4\n')
    assert table.rows == [["x\ny", "2"], ["3", "4"]]
    assert table.lines == [3, 5]


FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "f.csv: found no table"),
    "empty lines": (b"\n\n", "f.csv: found no table"),
    "no UTF-8": (b"a,b\n1,\xff\n", "f.csv: line 2: found 'utf-8' codec"),
    "UTF-16": ("a,b\n".encode("utf-16"), "f.csv: line 1: found"),
    "quotes": (b'a,b\n"1"x,2\n', "f.csv: line 2: found no CSV"),
    "open quotes": (b'a,b\n1,2\n"3,4\n', "f.csv: line 3: found no CSV"),
    "a column twice": (b"a,b,a\n", "f.csv: line 1: found 'a' more than once"),
    "too few cells": (b"a,b\n1,2\n3\n", "f.csv: line 3: found 1 cells; expected 2"),
    "too many cells": (b"a,b\n1,2,3\n", "f.csv: line 2: found 3 cells; expected 2"),
    "a long cell": (b"a,b\n1," + b"x" * (MAX_CELL + 1), "f.csv: line 2: b: found 1001 characters"),
    "a huge cell": (b"a,b\n1," + b"x" * 1_000_000, "f.csv: line 2: found no CSV"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str) -> None:
    content, message = FAULTS[fault]
    with pytest.raises(StudyError, match=message):
        read_csv_table("f.csv", content)


@pytest.mark.parametrize("text", ["NA", "2.10", "007", "true", "nan", "1e5", "=1+1", "ü", "模型"])
def test_names_are_texts_whatever_they_look_like(text: str) -> None:
    assert name_of(text) == text


@pytest.mark.parametrize(
    "text", ["", " a", "a ", "a\nb", "a\tb", "\x1b[31m", "\x00", "\u202ea", "\u200b"]
)
def test_what_does_not_print_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="text that prints"):
        name_of(text)


@pytest.mark.parametrize(
    ("text", "number"), [("0.5", 0.5), ("-.5", -0.5), ("1.", 1.0), ("4e-05", 4e-5), ("1E3", 1000.0)]
)
def test_plain_decimals_are_numbers(text: str, number: float) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1_000",
        "0x1f",
        "٣",
        "５",
        "inf",
        "-inf",
        "nan",
        "NA",
        "1e999",
        "true",
        "+1",
        "1,5",
        " 1",
        "1 ",
    ],
)
def test_everything_else_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimals"):
        number_of(text)


def test_whole_numbers() -> None:
    assert [whole_number_of(text) for text in ("0", "3", "3.0", "007")] == [0, 3, 3, 7]
    assert whole_number_of("1", least=1) == 1
    for text in ("", "-1", "1.5", "1e3", "٣", "9" * 16, "true"):
        with pytest.raises(ValueError, match="a whole number of at least 0"):
            whole_number_of(text)
    with pytest.raises(ValueError, match="of at least 1"):
        whole_number_of("0", least=1)
