"""Rows as Parquet: every column of every file comes back as it was, and nothing else is a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.tables import arrow_schema, read_table, row_bytes
from study.results.schema import ITEMS, QUESTIONS, RESPONSES
from tests.study.results.cell_store.cells import SCHEMA, rows

VALUES: dict[str, Any] = {
    "int64": -(2**40),
    "string": "Größe\n",
    "float64": 0.1,
    "bool": True,
    "list<float64>": [0.1, -1e-300],
    "list<int64>": [],
    "list<bool>": [True, False],
    "list<string>": ["", "a"],
    "map<string,string>": [("a", "b")],
}


@pytest.mark.parametrize("schema", [ITEMS, RESPONSES, QUESTIONS])
def test_written_and_read(schema: Mapping[str, str]) -> None:
    row = {name: VALUES[kind] for name, kind in schema.items()}
    written = [row, dict.fromkeys(schema)]
    content = row_bytes(written, arrow_schema(schema))
    assert read_table(content, Path("file")).to_pylist() == written
    first, *_, last = schema
    part = read_table(content, Path("file"), [last, first])
    assert part.to_pylist() == [{name: row[name] for name in (last, first)} for row in written]


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_what_is_no_parquet_is_corrupted(cut: int) -> None:
    content = row_bytes(rows(0), arrow_schema(SCHEMA))[:cut]
    with pytest.raises(CorruptedError, match=r"a/file: found no Parquet .*; expected a table"):
        read_table(content, Path("a/file"))
