"""A pack: the files of many cells in one folder, each cell recoverable whatever happens to others.

In and out: `results/packs/<name>/`, which is written whole and never changed.

    cells          each cell's record and items, one after the other, byte for byte as in `cells/`
    index.jsonl    a line per cell: key, position, and length and digest of record and items
    records.jsonl  the same with the records: a second copy of both
    digests.json   sha256 of the three

A line is accepted only if the bytes it points to have its digests and the record has its key, so
that a cell is recovered if its items and one copy of its line and of its record are intact.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from study.results.cell_store.corruption import (
    CorruptedError,
    check_digest,
    check_file,
    digest,
    is_digest,
    read_json,
    read_record,
    read_written,
)
from study.results.cell_store.tables import read_table
from study.results.files import NoFileError, open_regular, unreadable

PARTS = ("cells", "index.jsonl", "records.jsonl")


class CellContent(NamedTuple):
    """The files of a cell."""

    key: str
    record: bytes
    "JSON."
    items: bytes
    "Parquet."


@dataclass(frozen=True)
class _Entry:
    """A line of the index."""

    key: str
    offset: int
    "Of the record in `cells`; the items follow."
    record_length: int
    record_sha256: str
    items_length: int
    items_sha256: str


_NUMBERS = ("offset", "record_length", "items_length")
_DIGESTS = ("record_sha256", "items_sha256", "key")


class Pack:
    """A pack on disk; what is read is checked against its digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def paths(self) -> list[Path]:
        """What is moved aside if it is corrupted."""
        return [self.folder]

    @cached_property
    def _index(self) -> dict[str, _Entry]:
        path = self.folder / "index.jsonl"
        content = check_digest(read_written(path, "a pack's index"), self._digests[path.name], path)
        entries = {}
        for line in content.splitlines():
            entry = _entry(line)
            if entry is None:
                raise CorruptedError(path, found="a line without an entry", expected="an index")
            entries[entry.key] = entry
        return entries

    @cached_property
    def _digests(self) -> dict[str, str]:
        path = self.folder / "digests.json"
        content = read_json(read_written(path, "a pack's digests"), path, "a pack's digests")
        if not all(is_digest(content.get(part)) for part in PARTS):
            raise CorruptedError(path, found="no digests", expected="a pack's digests")
        return content

    @cached_property
    def _cells(self) -> io.BufferedReader:
        path = self.folder / "cells"
        try:
            return open_regular(path)
        except NoFileError as error:
            raise CorruptedError(path, found=str(error), expected="a pack's cells") from None

    @property
    def keys(self) -> Iterable[str]:
        """Keys of its cells; CorruptedError if the index is not what was written."""
        return self._index.keys()

    def record(self, key: str) -> dict[str, Any]:
        """A cell's record; CorruptedError if it is not what was written."""
        entry, path = self._index[key], self.folder / "cells"
        content = self._read(entry.offset, entry.record_length)
        return read_record(check_digest(content, entry.record_sha256, path), key, path)

    def items(self, key: str, columns: list[str] | None) -> pa.Table:
        """A cell's items, or some columns; CorruptedError if they are not what was written."""
        entry, path = self._index[key], self.folder / "cells"
        content = self._read(entry.offset, entry.record_length + entry.items_length)
        record, items = content[: entry.record_length], content[entry.record_length :]
        read_record(check_digest(record, entry.record_sha256, path), key, path)
        return read_table(check_digest(items, entry.items_sha256, path), path, columns)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._cells.fileno(), length, offset)
        except OSError as error:
            raise unreadable(self.folder / "cells", error) from error

    def check(self) -> None:
        """CorruptedError if any of its files is not what was written."""
        for part in PARTS:
            check_file(self.folder / part, self._digests[part])

    def intact_cells(self) -> Iterator[CellContent]:
        """Every cell that can be recovered, from either copy of its line and its record."""
        recovered: set[str] = set()
        for name in ("index.jsonl", "records.jsonl"):
            try:
                lines = read_written(self.folder / name, "").split(b"\n")
            except CorruptedError:
                continue
            for line in lines:
                entry = _entry(line)
                if entry is None or entry.key in recovered:
                    continue
                content = self._recovered(entry, line)
                if content is not None:
                    recovered.add(entry.key)
                    yield content

    def _recovered(self, entry: _Entry, line: bytes) -> CellContent | None:
        try:
            record = self._read(entry.offset, entry.record_length)
            items = self._read(entry.offset + entry.record_length, entry.items_length)
        except CorruptedError:
            return None
        if digest(items) != entry.items_sha256:
            return None
        for copy in (record, _record_copy(line)):
            if digest(copy) == entry.record_sha256:
                try:
                    read_record(copy, entry.key, self.folder)
                except CorruptedError:
                    return None
                return CellContent(entry.key, copy, items)
        return None


def write_pack(folder: Path, cells: Iterable[CellContent]) -> list[str]:
    """Write the parts of a pack into an empty folder, and read them back; returns the keys."""
    keys, offset = [], 0
    folder.mkdir()
    files = {part: (folder / part).open("wb") for part in PARTS}
    sums = {part: hashlib.sha256() for part in PARTS}

    def append(part: str, content: bytes) -> None:
        files[part].write(content)
        sums[part].update(content)

    try:
        for key, record, items in cells:
            lengths = {"record_length": len(record), "items_length": len(items)}
            digests = {"record_sha256": digest(record), "items_sha256": digest(items)}
            entry = {"key": key, "offset": offset, **lengths, **digests}
            append("cells", record + items)
            append("index.jsonl", json.dumps(entry).encode() + b"\n")
            copy = {**entry, "record": record.decode()}
            append("records.jsonl", json.dumps(copy).encode() + b"\n")
            keys.append(key)
            offset += len(record) + len(items)
    finally:
        for file in files.values():
            file.close()
    written = {part: digests.hexdigest() for part, digests in sums.items()}
    (folder / "digests.json").write_text(json.dumps(written))
    pack = Pack(folder)
    pack.check()
    assert list(pack.keys) == keys
    return keys


def _entry(line: bytes) -> _Entry | None:
    """What a line of the index says; None if it is not one."""
    try:
        content = json.loads(line)
        values = {name: content[name] for name in (*_DIGESTS, *_NUMBERS)}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    numbers = all(type(values[name]) is int and 0 <= values[name] < 2**60 for name in _NUMBERS)
    digests = all(is_digest(values[name]) for name in _DIGESTS)
    return _Entry(**values) if numbers and digests else None


def _record_copy(line: bytes) -> bytes:
    """The record in a line of `records.jsonl`; empty if there is none."""
    record = json.loads(line).get("record", "")
    return record.encode(errors="replace") if isinstance(record, str) else b""
