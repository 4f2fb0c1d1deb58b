"""Cells on disk: written whole, renamed, and marked done last.

In and out: a run's `results/` folder.

    results/plan.json            which cells the study has, a row for each of a pair's
    results/cells/<key>.parquet  a cell's items, one row each (`contract.ITEMS`)
    results/cells/<key>.json     its identity, score, audit and provenance
    results/cells/<key>.done     digests of the two; written last: with it the cell is done

Many processes may write into one folder: nothing is locked, nothing is rewritten, and two that
compute the same cell write the same content.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.errors import StudyError

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


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside `path`, flushes to disk, and renames: a reader sees all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
        raise StudyError(
            path,
            found=error.strerror or str(error),
            expected="a folder that can be written to",
            do="Free space or change the permissions, then run the same command again",
        ) from error


class Cells:
    """The finished cells of a run."""

    def __init__(self, run: Path) -> None:
        self.folder = results_folder(run) / "cells"

    def done(self) -> set[str]:
        """Keys of finished cells: one listing of the folder."""
        if not self.folder.is_dir():
            return set()
        return {name[:-5] for name in os.listdir(self.folder) if name.endswith(".done")}

    def write(self, key: str, record: dict[str, Any], items: list[dict[str, Any]]) -> None:
        """Commits a cell; from the moment this returns it is done."""
        sink = pa.BufferOutputStream()
        table = pa.Table.from_pylist(items, schema=_ITEMS)
        pq.write_table(table, sink, compression="zstd")
        contents = {
            "parquet": sink.getvalue().to_pybytes(),
            "json": (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(),
        }
        for suffix, content in contents.items():
            write_whole(self.folder / f"{key}.{suffix}", content)
        digests = {suffix: _sha256(content) for suffix, content in contents.items()}
        write_whole(self.folder / f"{key}.done", json.dumps(digests).encode())

    def record(self, key: str) -> dict[str, Any]:
        """A finished cell's record; StudyError if it or the cell's items are damaged."""
        self._checked(key, "parquet")
        record: dict[str, Any] = json.loads(self._checked(key, "json"))
        return record

    def items(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """A finished cell's items, or some columns of them; StudyError if they are damaged."""
        content = pa.BufferReader(self._checked(key, "parquet"))
        return pq.ParquetFile(content).read(columns, use_threads=False)

    def remove(self, key: str) -> None:
        """Takes a cell away, its marker first."""
        for suffix in ("done", "json", "parquet"):
            (self.folder / f"{key}.{suffix}").unlink(missing_ok=True)

    def _checked(self, key: str, suffix: str) -> bytes:
        path, marker = self.folder / f"{key}.{suffix}", self.folder / f"{key}.done"
        do = f"Delete {marker.name} and run the study again: the cell is then computed anew"
        try:
            content, digests = path.read_bytes(), json.loads(marker.read_text())
        except FileNotFoundError as error:
            raise StudyError(error.filename, found="no such file",
                             expected="the file of a finished cell", do=do) from None  # fmt: skip
        except ValueError:
            raise StudyError(marker, found="not JSON", expected="a cell's digests", do=do) from None
        if not isinstance(digests, dict) or digests.get(suffix) != _sha256(content):
            raise StudyError(
                path,
                found=f"{len(content)} bytes with another digest than when they were written",
                expected=f"the file that {marker.name} vouches for",
                do=do,
            )
        return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
