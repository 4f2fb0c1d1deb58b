"""CSV files read strictly: every cell is a text, every fault has its line and column.

In: a file's bytes. Out: `CsvTable`, whose cells are what the file says, and numbers read from them.
No text is taken for something else: `NA`, `007` and `true` are names like any other.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

from study.errors import StudyError, listed

MAX_CELL = 1000
"Characters of a cell."
_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"([0-9]{1,15})(\.0*)?")


@dataclass(frozen=True)
class CsvTable:
    """The cells of a file."""

    columns: list[str]
    rows: list[list[str]]
    "Cells of each row, as many as there are columns."
    lines: list[int]
    "Line of the file at which each row begins."


def read_csv_table(path: str | Path, content: bytes) -> CsvTable:
    """The cells of a file with a header; StudyError naming `path` if it is no such file.

    UTF-8, with or without a byte order mark; lines end in any of the usual ways.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudyError(path, f"line {line}", found=str(error), expected="UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines, line = [], [], 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise StudyError(
                path, f"line {line}", found=f"no CSV ({error})", expected="cells, quoted correctly"
            ) from None
        if row is None:
            break
        if row:  # not an empty line
            rows.append(row)
            lines.append(line)
        line = reader.line_num + 1
    if not rows:
        raise StudyError(path, found="no table", expected="a CSV file with a header")
    columns = rows.pop(0)
    lines.pop(0)
    _check_shape(path, columns, rows, lines)
    return CsvTable(columns, rows, lines)


def _check_shape(
    path: str | Path, columns: list[str], rows: list[list[str]], lines: list[int]
) -> None:
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise StudyError(
            path,
            "line 1",
            found=f"{listed(repeated)} more than once",
            expected="each column once",
        )
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(columns):
            raise StudyError(
                path,
                f"line {line}",
                found=f"{len(row)} cells",
                expected=f"{len(columns)}, one for each column",
            )
        for name, cell in zip(columns, row, strict=True):
            if len(cell) > MAX_CELL:
                raise StudyError(
                    path,
                    f"line {line}: {name}",
                    found=f"{len(cell)} characters",
                    expected=f"at most {MAX_CELL}",
                )


def name_of(text: str) -> str:
    """A name as it is written; ValueError if it does not print, or begins or ends in space.

    >>> name_of("007")
    '007'
    """
    if not text or not text.isprintable() or text != text.strip():
        raise ValueError("a name: text that prints, without space at its ends")
    return text


def number_of(text: str) -> float:
    """A finite number in plain decimals; ValueError for everything else.

    >>> number_of("-0.25"), number_of("4e-05")
    (-0.25, 4e-05)
    """
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        raise ValueError("a number in plain decimals")
    return number


def whole_number_of(text: str, least: int = 0) -> int:
    """A whole number; ValueError if it is another or below `least`.

    >>> whole_number_of("3"), whole_number_of("3.0")
    (3, 3)
    """
    match = _WHOLE.fullmatch(text)
    if match is None or int(match[1]) < least:
        raise ValueError(f"a whole number of at least {least}")
    return int(match[1])
