"""Finished cells on disk: written whole, renamed, and marked as done last.

In and out: two folders in a run's `results/`, here those of its scores.

    results/cells/<key>.<digest>.parquet  a cell's items, one row each (`schema.ITEMS`)
    results/cells/<key>.<digest>.json     its identity, score, audit and provenance
    results/cells/<key>.done              digests of the two; written last: it makes the cell done
    results/packs/                        many such cells in few files (bundles)

Many processes may write into one folder: nothing is locked and nothing is rewritten. Two processes
that compute the same cell at the same time write the same scores, but not the same record (it holds
the time taken). Files are named by their content, so either marker is valid for both of its files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.cell_store.bundles import Bundles
from study.results.files import write_whole

RUN_AGAIN = "Run the study again: the cell is then recomputed"
_ARROW_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "string": pa.string(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "list<float64>": pa.list_(pa.float64()),
    "list<int64>": pa.list_(pa.int64()),
    "list<bool>": pa.list_(pa.bool_()),
    "list<string>": pa.list_(pa.string()),
}


class CellStore:
    """The finished cells of a run, in files of their own or in bundles."""

    def __init__(self, folder: Path, packs: Path, schema: Mapping[str, str]) -> None:
        """`folder` holds cells in files of their own, `packs` the bundles; `schema` is that of
        their rows, by column an Arrow type (as `schema.ITEMS`)."""
        self.folder = folder
        self.bundles = Bundles(packs)
        self._schema = pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in schema.items()])

    def done(self) -> set[str]:
        """Keys of the finished cells: one listing of the folder, and the bundles' records."""
        return self.loose() | self.bundles.keys()

    def loose(self) -> set[str]:
        """Keys of the finished cells that have files of their own."""
        if not self.folder.is_dir():
            return set()
        return {name[:-5] for name in os.listdir(self.folder) if name.endswith(".done")}

    def has(self, key: str) -> bool:
        """Whether this cell is finished now."""
        return (self.folder / f"{key}.done").exists() or self.bundles.has(key)

    def write(self, key: str, record: dict[str, Any], items: list[dict[str, Any]]) -> None:
        """Commit a cell; when this returns, the cell is done."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(items, schema=self._schema), sink, compression="zstd")
        contents = {
            "parquet": sink.getvalue().to_pybytes(),
            "json": (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(),
        }
        digests = {suffix: _sha256(content) for suffix, content in contents.items()}
        for suffix, content in contents.items():
            write_whole(self._file(key, suffix, digests[suffix]), content)
        write_whole(self.folder / f"{key}.done", json.dumps(digests).encode())

    def record(self, key: str) -> dict[str, Any]:
        """A finished cell's record; StudyError if it or the cell's items are corrupted."""
        if key in self.bundles:
            return self.bundles.record(key)
        self._checked(key, "parquet")
        record: dict[str, Any] = json.loads(self._checked(key, "json"))
        return record

    def items(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """A finished cell's items, or some of their columns; StudyError if they are corrupted."""
        if key in self.bundles:
            return self.bundles.items(key, columns)
        content = pa.BufferReader(self._checked(key, "parquet"))
        return pq.ParquetFile(content).read(columns, use_threads=False)

    def corrupted(self) -> Iterator[tuple[str, StudyError]]:
        """Keys of cells whose files are not those that were written, each with its error."""
        for key in sorted(self.loose()):
            try:
                for suffix in ("parquet", "json"):
                    self._checked(key, suffix)
            except StudyError as error:
                yield key, error

    def remove(self, key: str) -> None:
        """Delete a cell's own files, the marker first."""
        try:
            files = list(self.files(key).values())
        except StudyError:  # without the marker only a listing of the folder finds them
            files = list(self.folder.glob(f"{key}.*"))
        for path in [self.folder / f"{key}.done", *files]:
            path.unlink(missing_ok=True)

    def files(self, key: str) -> dict[str, Path]:
        """A finished cell's files by suffix, `parquet` and `json`."""
        digests = self._digests(key)
        return {suffix: self._file(key, suffix, digest) for suffix, digest in digests.items()}

    def _file(self, key: str, suffix: str, digest: str) -> Path:
        return self.folder / f"{key}.{digest[:16]}.{suffix}"

    def _digests(self, key: str) -> dict[str, str]:
        marker = self.folder / f"{key}.done"
        try:
            content = json.loads(marker.read_bytes())
            return {suffix: str(content[suffix]) for suffix in ("parquet", "json")}
        except FileNotFoundError:
            raise _corrupted(marker, "no such file", "a finished cell") from None
        except (ValueError, KeyError, TypeError):
            raise _corrupted(marker, "no digests", "a cell's digests") from None

    def _checked(self, key: str, suffix: str) -> bytes:
        """Content of a cell's file; StudyError unless its digest is the one in the marker."""
        digest = self._digests(key)[suffix]
        path = self._file(key, suffix, digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _corrupted(path, "no such file", "the file of a finished cell") from None
        if digest != _sha256(content):
            found = f"{len(content)} bytes with another digest than when they were written"
            raise _corrupted(path, found, f"the file that {key}.done was written for")
        return content


def _corrupted(path: Path, found: str, expected: str) -> StudyError:
    return StudyError(path, found=found, expected=expected, do=RUN_AGAIN)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
