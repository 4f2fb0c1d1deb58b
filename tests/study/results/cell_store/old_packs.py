"""Packs as earlier versions wrote them, which must stay readable."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from study.results.cell_store.corruption import digest
from study.results.cell_store.pack import CellContent
from study.results.cell_store.tables import read_table

_RECORDS = pa.schema([("key", pa.string()), ("group", pa.int64()), ("record", pa.string())])


def write_old_pack(folder: Path, name: str, cells: Iterable[CellContent]) -> None:
    """Write cells into one pack."""
    folder.mkdir(parents=True, exist_ok=True)
    records, writer = [], None
    for key, record, items in cells:
        table = read_table(items, folder)
        table = table.add_column(0, "key", pa.array([key] * table.num_rows, pa.string()))
        writer = writer or pq.ParquetWriter(
            folder / f"{name}.items.parquet",
            table.schema,
            compression="zstd",
            write_page_checksum=True,
        )
        writer.write_table(table, row_group_size=max(1, table.num_rows))
        text = json.dumps(json.loads(record), sort_keys=True)
        records.append({"key": key, "group": len(records), "record": text})
    assert writer is not None
    writer.close()
    pq.write_table(
        pa.Table.from_pylist(records, schema=_RECORDS),
        folder / f"{name}.records.parquet",
        compression="zstd",
        write_page_checksum=True,
    )
    digests = {
        part: digest((folder / f"{name}.{part}.parquet").read_bytes())
        for part in ("items", "records")
    }
    (folder / f"{name}.done").write_text(json.dumps(digests))
