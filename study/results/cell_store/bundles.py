"""Many finished cells in few files: what `study compact` makes of a run's small ones.

In and out: `results/packs/`.

    <name>.items.parquet    the items of many cells, `key` and `contract.ITEMS`; a row group a cell
    <name>.records.parquet  `key`, the row group, and the record as JSON, in the same order
    <name>.done             digests of the two; written last

A pack is never changed. Pages carry checksums, so that of a damaged pack the cells that are whole
are kept: they are written into a new pack, and the old one is taken away.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.files import flush, write_whole

ROWS_OF_PACK = 4_000_000
"Items after which a new pack is begun."
_RECORDS = pa.schema([("key", pa.string()), ("group", pa.int64()), ("record", pa.string())])
Packed = tuple[str, dict[str, Any], pa.Table]
"Key, record, items."


@dataclass(frozen=True)
class _Place:
    pack: str
    group: int
    record: str


class Packs:
    """The packs of a run, read when first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[str, _Place] = {}
        self._known: set[str] = set()
        self._looked = False
        self._open: dict[str, pq.ParquetFile] = {}

    def names(self) -> list[str]:
        """Finished packs."""
        return sorted(path.stem for path in self.folder.glob("*.done"))

    def keys(self) -> set[str]:
        """Of all cells in packs."""
        self._look()
        return set(self._places)

    def __contains__(self, key: str) -> bool:
        """Whether a cell is in the packs that there were when this was first asked."""
        if not self._looked:
            self._look()
        return key in self._places

    def has(self, key: str) -> bool:
        """Whether a cell is in a pack, now."""
        self._look()
        return key in self._places

    def record(self, key: str) -> dict[str, Any]:
        """A cell's record; KeyError if it is in no pack that was seen."""
        record: dict[str, Any] = json.loads(self._places[key].record)
        return record

    def items(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """A cell's items; KeyError if it is in no pack that was seen, StudyError if they are
        damaged."""
        place = self._places[key]
        path = self.folder / f"{place.pack}.items.parquet"
        try:
            if place.pack not in self._open:
                self._open[place.pack] = pq.ParquetFile(path, page_checksum_verification=True)
            table = self._open[place.pack].read_row_group(
                place.group, columns=columns, use_threads=False
            )
        except (OSError, pa.ArrowException) as error:
            raise _damage(path, error) from None
        return table.drop_columns(["key"]) if "key" in table.column_names else table

    def _look(self) -> None:
        """Reads the records of packs that are new."""
        self._looked = True
        names = set(self.names())
        for name in sorted(names - self._known):
            path = self.folder / f"{name}.records.parquet"
            try:
                found = pq.ParquetFile(path, page_checksum_verification=True).read()
            except (OSError, pa.ArrowException) as error:
                raise _damage(path, error) from None
            self._known.add(name)
            for row in found.to_pylist():
                self._places[row["key"]] = _Place(name, row["group"], row["record"])

    def damaged(self) -> Iterator[str]:
        """Names of packs whose files are not those that were written."""
        for name in self.names():
            try:
                digests = json.loads((self.folder / f"{name}.done").read_bytes())
                fine = all(_digest(self.folder / f"{name}.{part}.parquet") == digests[part]
                           for part in ("items", "records"))  # fmt: skip
            except (OSError, ValueError, KeyError):
                fine = False
            if not fine:
                yield name

    def whole_cells(self, name: str) -> Iterator[Packed]:
        """Of a damaged pack, the cells that are not."""
        try:
            records = pq.ParquetFile(
                self.folder / f"{name}.records.parquet", page_checksum_verification=True
            ).read()
            items = pq.ParquetFile(
                self.folder / f"{name}.items.parquet", page_checksum_verification=True
            )
        except (OSError, pa.ArrowException):
            return
        for row in records.to_pylist():
            try:
                table = items.read_row_group(row["group"], use_threads=False)
            except (OSError, pa.ArrowException):
                continue
            yield row["key"], json.loads(row["record"]), table.drop_columns(["key"])

    def remove(self, name: str) -> None:
        """Takes a pack away, its marker first."""
        for suffix in ("done", "items.parquet", "records.parquet"):
            (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)
        self._places = {k: place for k, place in self._places.items() if place.pack != name}
        self._known.discard(name)
        self._open.pop(name, None)

    def write(self, cells: Iterable[Packed]) -> list[str]:
        """Commits cells in as many packs as they need; returns their keys."""
        written: list[str] = []
        made = _Pack(self.folder)
        for key, record, items in cells:
            made.add(key, record, items)
            if made.rows >= ROWS_OF_PACK:
                written += made.commit()
                made = _Pack(self.folder)
        return written + made.commit()


class _Pack:
    """A pack being written, under names that nobody reads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name, self.rows = folder, uuid.uuid4().hex[:16], 0
        self.records: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None

    def _part(self, part: str, *, hidden: bool) -> Path:
        return self.folder / f"{'.' if hidden else ''}{self.name}.{part}.parquet"

    def add(self, key: str, record: dict[str, Any], items: pa.Table) -> None:
        table = items.add_column(0, "key", pa.array([key] * items.num_rows, pa.string()))
        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._part("items", hidden=True), table.schema, compression="zstd",
                write_page_checksum=True,
            )  # fmt: skip
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        text = json.dumps(record, sort_keys=True)
        self.records.append({"key": key, "group": len(self.records), "record": text})
        self.rows += items.num_rows

    def commit(self) -> list[str]:
        """Renames both files and writes the marker."""
        if self._writer is None:
            return []
        self._writer.close()
        table = pa.Table.from_pylist(self.records, schema=_RECORDS)
        pq.write_table(table, self._part("records", hidden=True), compression="zstd",
                       write_page_checksum=True)  # fmt: skip
        digests = {}
        for part in ("items", "records"):
            hidden = self._part(part, hidden=True)
            flush(hidden)
            digests[part] = _digest(hidden)
            hidden.rename(self._part(part, hidden=False))
        write_whole(self.folder / f"{self.name}.done", json.dumps(digests).encode())
        return [record["key"] for record in self.records]


def _damage(path: Path, error: Exception) -> StudyError:
    return StudyError(
        path,
        found=f"damage ({error})",
        expected="a file of many cells, as `study compact` wrote it",
        do="Run the study again: what is damaged is computed anew",
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
