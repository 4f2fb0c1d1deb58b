"""The rows of a cell, or of a task's items, as Parquet.

In and out: bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.results.cell_store.corruption import CorruptedError

_ARROW_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "string": pa.string(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "list<float64>": pa.list_(pa.float64()),
    "list<int64>": pa.list_(pa.int64()),
    "list<bool>": pa.list_(pa.bool_()),
    "list<string>": pa.list_(pa.string()),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
}


def arrow_schema(schema: Mapping[str, str]) -> pa.Schema:
    """The schema of rows, by column an Arrow type."""
    return pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in schema.items()])


def table_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def row_bytes(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    """Rows as a Parquet file."""
    return table_bytes(pa.Table.from_pylist(rows, schema=schema))


def read_table(content: bytes, path: Path, columns: list[str] | None = None) -> pa.Table:
    """A table, or some of its columns; CorruptedError if the content is no Parquet file."""
    try:
        return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise CorruptedError(path, found=f"no Parquet ({error})", expected="a table") from None
