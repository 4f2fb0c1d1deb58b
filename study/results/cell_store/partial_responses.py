"""Responses of cells that are being generated, from which an interrupted worker resumes.

In and out: `results/responses/partial/<key>.partial`, one file per responses key: a line with the
digest of the rest, a line of JSON (version, key, provenance), a Parquet table of requests. A file
is written whole and replaced again and again; it is removed when the cell's responses are
committed. It belongs to one writer at a time. If two compute the same cell, each replaces what the
other wrote, which is valid for both: a kill may then cost more time, but no response changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.results.cell_store.corruption import Aside
from study.results.files import NoFileError, read_regular, write_whole

log = logging.getLogger(__name__)

VERSION = 1
SUFFIX = ".partial"
_SCHEMA = pa.schema(
    [("request", pa.string()), ("tokens", pa.list_(pa.int32())), ("text", pa.binary())]
)


@dataclass
class PartialResponses:
    """Responses of an unfinished cell, by request."""

    tokens: dict[str, list[int]] = field(default_factory=dict)
    "Token ids generated so far, of finished and of unfinished responses."
    texts: dict[str, str] = field(default_factory=dict)
    "Finished responses that exist as text only."
    provenance: list[dict[str, Any]] = field(default_factory=list)
    "Where and with which versions they were generated, an entry for each place."


class PartialResponseStore:
    """The partial responses of a run."""

    def __init__(self, results: Path) -> None:
        self.folder = results / "responses" / "partial"
        self._results = results

    def write(self, key: str, partial: PartialResponses) -> None:
        """Replace what is stored under a key; StudyError if it cannot be written."""
        requests = [*partial.tokens, *partial.texts]
        texts = [text.encode(errors="surrogatepass") for text in partial.texts.values()]
        columns = [
            pa.array(requests, pa.string()),
            pa.array([*partial.tokens.values(), *([None] * len(texts))], pa.list_(pa.int32())),
            pa.array([*([None] * len(partial.tokens)), *texts], pa.binary()),
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA), sink, compression="zstd")
        header = {"version": VERSION, "key": key, "provenance": partial.provenance}
        content = json.dumps(header).encode() + b"\n" + sink.getvalue().to_pybytes()
        write_whole(self._file(key), _digest(content) + b"\n" + content)

    def read(self, key: str) -> PartialResponses:
        """What is stored under a key; empty if there is nothing.

        A file that is corrupted, of another version or of another key is moved to
        `results/corrupted`, which is logged, and counts as nothing. StudyError if a file cannot be
        read for another reason.
        """
        path = self._file(key)
        try:
            return _parsed(read_regular(path), key)
        except (NoFileError, _RejectedError) as error:
            if os.path.lexists(path):
                log.warning("%s: %s; generating its responses again", path, error)
                Aside(self._results).move([path])
            return PartialResponses()

    def remove(self, key: str) -> None:
        """Delete what is stored under a key, if there is anything."""
        self._file(key).unlink(missing_ok=True)

    def sweep(self, is_committed: Callable[[str], bool]) -> None:
        """Delete what is stored of responses that have been committed, by another writer."""
        try:
            names = os.listdir(self.folder)
        except OSError:  # nothing has been stored, or whoever needs it will say why
            return
        for name in names:
            key = name.removesuffix(SUFFIX)
            if key != name and is_committed(key):
                self.remove(key)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"


class _RejectedError(Exception):
    """The content of a file cannot be used; the text says why."""


def _parsed(content: bytes, key: str) -> PartialResponses:
    """The partial responses in a file; _RejectedError if they are not those of this key."""
    digest, _, rest = content.partition(b"\n")
    if digest != _digest(rest):
        raise _RejectedError("corrupted: its digest is another than when it was written")
    line, _, table = rest.partition(b"\n")
    header = json.loads(line)
    if header["version"] != VERSION:
        raise _RejectedError(f"of version {header['version']}, not {VERSION}")
    if header["key"] != key:
        raise _RejectedError(f"holds responses of the cell {header['key']}")
    rows = pq.read_table(pa.BufferReader(table), use_threads=False).to_pylist()
    return PartialResponses(
        {row["request"]: row["tokens"] for row in rows if row["tokens"] is not None},
        {
            row["request"]: row["text"].decode(errors="surrogatepass")
            for row in rows
            if row["text"] is not None
        },
        header["provenance"],
    )


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
