"""Packs of earlier versions, which are still read and are no longer written.

In: `results/packs/`.

    <name>.items.parquet    items of many cells with their keys; a row group per cell
    <name>.records.parquet  `key`, the row group, and the record as JSON, in the same order
    <name>.done             digests of the two

Pages carry checksums, so that intact cells of a corrupted pack can be recovered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.cell_store.corruption import (
    CorruptedError,
    check_file,
    is_digest,
    read_json,
    read_record,
    read_written,
)
from study.results.cell_store.pack import CellContent
from study.results.cell_store.tables import table_bytes
from study.results.files import NO_FILE, unreadable

MARKER = ".done"
PARTS = ("items", "records")


class _Location(NamedTuple):
    group: int
    record: str


class OldPack:
    """A pack of an earlier version on disk."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    @property
    def paths(self) -> list[Path]:
        """What is moved aside if it is corrupted, the marker first."""
        return [self.folder / f"{self.name}{MARKER}", *map(self._file, PARTS)]

    def _file(self, part: str) -> Path:
        return self.folder / f"{self.name}.{part}.parquet"

    @cached_property
    def _locations(self) -> dict[str, _Location]:
        path = self._file("records")
        try:
            rows = _checksummed(path).read().to_pylist()
            return {row["key"]: _Location(row["group"], row["record"]) for row in rows}
        except (OSError, KeyError, pa.ArrowException) as error:
            raise _failure(path, error) from None

    @cached_property
    def _items(self) -> pq.ParquetFile:
        try:
            return _checksummed(self._file("items"))
        except (OSError, pa.ArrowException) as error:
            raise _failure(self._file("items"), error) from None

    @property
    def keys(self) -> Iterable[str]:
        """Keys of its cells; CorruptedError if they cannot be read."""
        return self._locations.keys()

    def record(self, key: str) -> dict[str, Any]:
        """A cell's record; CorruptedError if it is another's."""
        return read_record(self._locations[key].record.encode(), key, self._file("records"))

    def items(self, key: str, columns: list[str] | None) -> pa.Table:
        """A cell's items, or some columns; CorruptedError if they are not what was written."""
        self.record(key)
        path, named = self._file("items"), None if columns is None else ["key", *columns]
        try:
            group = self._locations[key].group
            table = self._items.read_row_group(group, columns=named, use_threads=False)
            if table.num_rows and table["key"].unique().to_pylist() != [key]:
                raise CorruptedError(path, found="another cell's items", expected=f"cell {key}")
            return table.drop_columns(["key"])
        except (OSError, KeyError, pa.ArrowException) as error:
            raise _failure(path, error) from None

    def check(self) -> None:
        """CorruptedError if its files are not those that were written."""
        path = self.paths[0]
        digests = read_json(read_written(path, "a pack's digests"), path, "a pack's digests")
        for part in PARTS:
            if not is_digest(digests.get(part)):
                raise CorruptedError(path, found="no digests", expected="a pack's digests")
            check_file(self._file(part), digests[part])

    def intact_cells(self) -> Iterator[CellContent]:
        """The cells of a corrupted pack that can still be read."""
        try:
            keys = list(self.keys)
        except CorruptedError:
            return
        for key in keys:
            try:
                items = self.items(key, None)
            except CorruptedError:
                continue
            yield CellContent(key, self._locations[key].record.encode(), table_bytes(items))


def _checksummed(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True)


def _failure(path: Path, error: Exception) -> StudyError:
    """Errors of the system have a number, those of pyarrow about a file's content have none."""
    if isinstance(error, OSError) and error.errno is not None and error.errno not in NO_FILE:
        return unreadable(path, error)
    return CorruptedError(path, found=f"no pack ({error})", expected="a pack as it was written")
