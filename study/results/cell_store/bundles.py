"""Many finished cells in few files: what `study compact` makes of a run's small files.

In and out: `results/packs/`.

    <name>.items.parquet    items of many cells, `key` and `schema.ITEMS`; a row group per cell
    <name>.records.parquet  `key`, the row group, and the record as JSON, in the same order
    <name>.done             digests of the two; written last

A bundle is never changed. Pages carry checksums, so the intact cells of a corrupted bundle can be
recovered: they are written into a new bundle, and the corrupted one is deleted.
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

MAX_ROWS = 4_000_000
"Items after which a new bundle is begun."
_RECORDS = pa.schema([("key", pa.string()), ("group", pa.int64()), ("record", pa.string())])
BundledCell = tuple[str, dict[str, Any], pa.Table]
"Key, record, items."


@dataclass(frozen=True)
class _Location:
    bundle: str
    group: int
    record: str


class Bundles:
    """The bundles of a run, read when first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._locations: dict[str, _Location] = {}
        self._read: set[str] = set()
        self._scanned = False
        self._open: dict[str, pq.ParquetFile] = {}

    def names(self) -> list[str]:
        """Finished bundles."""
        return sorted(path.stem for path in self.folder.glob("*.done"))

    def keys(self) -> set[str]:
        """Keys of all bundled cells."""
        self._scan()
        return set(self._locations)

    def __contains__(self, key: str) -> bool:
        """Whether a cell is in a bundle that existed at the last scan."""
        if not self._scanned:
            self._scan()
        return key in self._locations

    def has(self, key: str) -> bool:
        """Whether a cell is in a bundle now."""
        self._scan()
        return key in self._locations

    def record(self, key: str) -> dict[str, Any]:
        """A cell's record; KeyError if it is in no scanned bundle."""
        record: dict[str, Any] = json.loads(self._locations[key].record)
        return record

    def items(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """A cell's items; KeyError if it is in no scanned bundle, StudyError if corrupted."""
        location = self._locations[key]
        path = self._file(location.bundle, "items")
        try:
            if location.bundle not in self._open:
                self._open[location.bundle] = _checked_file(path)
            table = self._open[location.bundle].read_row_group(
                location.group, columns=columns, use_threads=False
            )
        except (OSError, pa.ArrowException) as error:
            raise _corrupted(path, error) from None
        return table.drop_columns(["key"]) if "key" in table.column_names else table

    def _file(self, name: str, part: str) -> Path:
        return self.folder / f"{name}.{part}.parquet"

    def _scan(self) -> None:
        """Read the records of new bundles."""
        self._scanned = True
        for name in sorted(set(self.names()) - self._read):
            path = self._file(name, "records")
            try:
                rows = _checked_file(path).read().to_pylist()
            except (OSError, pa.ArrowException) as error:
                raise _corrupted(path, error) from None
            self._read.add(name)
            for row in rows:
                self._locations[row["key"]] = _Location(name, row["group"], row["record"])

    def corrupted(self) -> Iterator[str]:
        """Names of bundles whose files are not those that were written."""
        for name in self.names():
            try:
                digests = json.loads((self.folder / f"{name}.done").read_bytes())
                intact = all(
                    _digest(self._file(name, part)) == digests[part]
                    for part in ("items", "records")
                )
            except (OSError, ValueError, KeyError):
                intact = False
            if not intact:
                yield name

    def intact_cells(self, name: str) -> Iterator[BundledCell]:
        """The cells of a corrupted bundle that can still be read."""
        try:
            records = _checked_file(self._file(name, "records")).read()
            items = _checked_file(self._file(name, "items"))
        except (OSError, pa.ArrowException):
            return
        for row in records.to_pylist():
            try:
                table = items.read_row_group(row["group"], use_threads=False)
            except (OSError, pa.ArrowException):
                continue
            yield row["key"], json.loads(row["record"]), table.drop_columns(["key"])

    def remove(self, name: str) -> None:
        """Delete a bundle, the marker first."""
        for suffix in ("done", "items.parquet", "records.parquet"):
            (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)
        self._locations = {k: where for k, where in self._locations.items() if where.bundle != name}
        self._read.discard(name)
        self._open.pop(name, None)

    def write(self, cells: Iterable[BundledCell]) -> list[str]:
        """Commit cells in as many bundles as they need; returns their keys."""
        written: list[str] = []
        bundle = _NewBundle(self.folder)
        for key, record, items in cells:
            bundle.add(key, record, items)
            if bundle.rows >= MAX_ROWS:
                written += bundle.commit()
                bundle = _NewBundle(self.folder)
        return written + bundle.commit()


class _NewBundle:
    """A bundle being written, under hidden names that no reader looks at."""

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
                self._part("items", hidden=True),
                table.schema,
                compression="zstd",
                write_page_checksum=True,
            )
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        text = json.dumps(record, sort_keys=True)
        self.records.append({"key": key, "group": len(self.records), "record": text})
        self.rows += items.num_rows

    def commit(self) -> list[str]:
        """Rename both files and write the marker; returns the keys."""
        if self._writer is None:
            return []
        self._writer.close()
        pq.write_table(
            pa.Table.from_pylist(self.records, schema=_RECORDS),
            self._part("records", hidden=True),
            compression="zstd",
            write_page_checksum=True,
        )
        digests = {}
        for part in ("items", "records"):
            hidden = self._part(part, hidden=True)
            flush(hidden)
            digests[part] = _digest(hidden)
            hidden.rename(self._part(part, hidden=False))
        write_whole(self.folder / f"{self.name}.done", json.dumps(digests).encode())
        return [record["key"] for record in self.records]


def _checked_file(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True)


def _corrupted(path: Path, error: Exception) -> StudyError:
    return StudyError(
        path,
        found=f"a corrupted file ({error})",
        expected="a bundle as `study compact` wrote it",
        do="Run the study again: corrupted cells are then recomputed",
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
