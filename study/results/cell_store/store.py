"""Cells on disk: written whole, renamed, and marked done last.

In and out: a run's `results/` folder.

    results/plan.json            which cells the study has, a row for each of a pair's
    results/cells/<key>.<digest>.parquet  a cell's items, one row each (`contract.ITEMS`)
    results/cells/<key>.<digest>.json     its identity, score, audit and provenance
    results/cells/<key>.done              digests of the two; written last: with it the cell is done
    results/packs/                        many such cells in few files (packs.py)

Many processes may write into one folder: nothing is locked and nothing is rewritten. Two that
compute the same cell at the same time write the same scores, but not the same record (it holds the
time taken); as files are named by their content, whichever marker stays vouches for both its files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.cell_store.bundles import Packs
from study.results.files import write_whole

AGAIN = "Run the study again: the cell is then computed anew"
_ITEMS = pa.schema(
    [
        ("item", pa.int64()),
        ("gold", pa.string()),
        ("score", pa.float64()),
        ("logprobs", pa.list_(pa.float64())),
        ("lengths", pa.list_(pa.int64())),
        ("text", pa.string()),
        ("prompt_hash", pa.string()),
        ("shots", pa.int64()),
        ("truncated", pa.bool_()),
    ]
)


def results_folder(run: Path) -> Path:
    """Where the run's results are."""
    return run / "results"


class Cells:
    """The finished cells of a run, each in files of its own or in a pack."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.folder = results_folder(run) / "cells"
        self.packs = Packs(results_folder(run) / "packs")

    def done(self) -> set[str]:
        """Keys of finished cells: one listing of the folder, and the packs' records."""
        return self.loose() | self.packs.keys()

    def loose(self) -> set[str]:
        """Keys of finished cells that have files of their own."""
        if not self.folder.is_dir():
            return set()
        return {name[:-5] for name in os.listdir(self.folder) if name.endswith(".done")}

    def has(self, key: str) -> bool:
        """Whether this cell is finished, now."""
        return (self.folder / f"{key}.done").exists() or self.packs.has(key)

    def write(self, key: str, record: dict[str, Any], items: list[dict[str, Any]]) -> None:
        """Commits a cell; from the moment this returns it is done."""
        sink = pa.BufferOutputStream()
        table = pa.Table.from_pylist(items, schema=_ITEMS)
        pq.write_table(table, sink, compression="zstd")
        contents = {
            "parquet": sink.getvalue().to_pybytes(),
            "json": (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(),
        }
        digests = {suffix: _sha256(content) for suffix, content in contents.items()}
        for suffix, content in contents.items():
            write_whole(self._file(key, suffix, digests[suffix]), content)
        write_whole(self.folder / f"{key}.done", json.dumps(digests).encode())

    def record(self, key: str) -> dict[str, Any]:
        """A finished cell's record; StudyError if it or the cell's items are damaged."""
        if key in self.packs:
            return self.packs.record(key)
        self._checked(key, "parquet")
        record: dict[str, Any] = json.loads(self._checked(key, "json"))
        return record

    def items(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """A finished cell's items, or some columns of them; StudyError if they are damaged."""
        if key in self.packs:
            return self.packs.items(key, columns)
        content = pa.BufferReader(self._checked(key, "parquet"))
        return pq.ParquetFile(content).read(columns, use_threads=False)

    def damaged(self) -> Iterator[tuple[str, StudyError]]:
        """Cells with files that are not those that were written, and what is wrong."""
        for key in sorted(self.loose()):
            try:
                for suffix in ("parquet", "json"):
                    self._checked(key, suffix)
            except StudyError as error:
                yield key, error

    def remove(self, key: str) -> None:
        """Takes a cell's own files away, its marker first."""
        try:
            files = list(self.files(key).values())
        except StudyError:  # without its marker only a listing tells, of a folder that may be large
            files = list(self.folder.glob(f"{key}.*"))
        for path in [self.folder / f"{key}.done", *files]:
            path.unlink(missing_ok=True)

    def files(self, key: str) -> dict[str, Path]:
        """A finished cell's files by their suffix, `parquet` and `json`."""
        return {suffix: self._file(key, suffix, of) for suffix, of in self._digests(key).items()}

    def _file(self, key: str, suffix: str, digest: str) -> Path:
        return self.folder / f"{key}.{digest[:16]}.{suffix}"

    def _digests(self, key: str) -> dict[str, str]:
        marker = self.folder / f"{key}.done"
        try:
            found = json.loads(marker.read_bytes())
            return {suffix: str(found[suffix]) for suffix in ("parquet", "json")}
        except FileNotFoundError:
            raise StudyError(marker, found="no such file", expected="a finished cell",
                             do=AGAIN) from None  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise StudyError(marker, found="no digests", expected="a cell's digests",
                             do=AGAIN) from None  # fmt: skip

    def _checked(self, key: str, suffix: str) -> bytes:
        digest = self._digests(key)[suffix]
        path = self._file(key, suffix, digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StudyError(path, found="no such file", expected="the file of a finished cell",
                             do=AGAIN) from None  # fmt: skip
        if digest != _sha256(content):
            raise StudyError(
                path,
                found=f"{len(content)} bytes with another digest than when they were written",
                expected=f"the file that {key}.done vouches for",
                do=AGAIN,
            )
        return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
