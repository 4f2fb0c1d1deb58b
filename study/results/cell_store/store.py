"""Finished cells on disk: written whole, renamed, and marked as done last.

In and out: two folders in a run's `results/`, here those of its scores.

    results/cells/<key>.<digest>.parquet  a cell's items, one row each (`schema.ITEMS`)
    results/cells/<key>.<digest>.json     its key, identity, score, audit and provenance
    results/cells/<key>.done              digests of the two; written last: it makes the cell done
    results/packs/                        many such cells in few files (bundles)

Many processes may write into one folder: nothing is locked and nothing is rewritten. Two processes
that compute the same cell at the same time write the same scores, but not the same record (it holds
the time taken). Files are named by their content, so either marker is valid for both of its files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from study.results.cell_store.bundles import Bundles
from study.results.cell_store.corruption import (
    CorruptedError,
    check_digest,
    digest,
    is_digest,
    read_json,
    read_record,
    read_written,
)
from study.results.cell_store.old_pack import OldPack
from study.results.cell_store.pack import CellContent, Pack
from study.results.cell_store.tables import arrow_schema, read_table, row_bytes
from study.results.files import names_in, unreadable, unwritable, write_together, write_whole

_MARKER = re.compile(r"([0-9a-f]{64})\.done")
_SUFFIXES = ("parquet", "json")
_Part = TypeVar("_Part")


class CellStore:
    """The finished cells of a run, in files of their own or in bundles."""

    def __init__(self, folder: Path, packs: Path, schema: Mapping[str, str]) -> None:
        """`folder` holds cells in files of their own, `packs` the bundles; `schema` is that of
        their rows, by column an Arrow type (as `schema.ITEMS`)."""
        self.folder = folder
        self.bundles = Bundles(packs)
        self._schema = arrow_schema(schema)

    def done(self) -> set[str]:
        """Keys of the finished cells: one listing of the folder, and the bundles' indices."""
        # In this order, a cell that is being bundled is found in one of the two.
        loose = self.loose()
        return loose | self.bundles.keys()

    def loose(self) -> set[str]:
        """Keys of the finished cells that have files of their own."""
        matches = map(_MARKER.fullmatch, names_in(self.folder))
        return {match[1] for match in matches if match}

    def has(self, key: str) -> bool:
        """Whether this cell is finished now."""
        return self._is_loose(key) or self.bundles.has(key)

    def write(self, key: str, record: dict[str, Any], items: list[dict[str, Any]]) -> None:
        """Commit a cell; when this returns, the cell is done."""
        text = json.dumps({**record, "key": key}, indent=1, sort_keys=True) + "\n"
        contents = {"parquet": row_bytes(items, self._schema), "json": text.encode()}
        digests = {suffix: digest(content) for suffix, content in contents.items()}
        write_together(
            {self._file(key, suffix, digests[suffix]): contents[suffix] for suffix in _SUFFIXES}
        )
        write_whole(self._marker(key), json.dumps(digests).encode())

    def record(self, key: str) -> dict[str, Any]:
        """A finished cell's record; CorruptedError if it is corrupted or another cell's."""

        def own_record() -> dict[str, Any]:
            return read_record(self.content(key).record, key, self._marker(key))

        return self._read(key, lambda pack: pack.record(key), own_record)

    def items(self, key: str, columns: list[str] | None = None) -> pa.Table:
        """A finished cell's items, or some columns; CorruptedError if they or its record are
        corrupted."""

        def own_items() -> pa.Table:
            return read_table(self.content(key).items, self._marker(key), columns)

        return self._read(key, lambda pack: pack.items(key, columns), own_items)

    def _read(
        self, key: str, bundled: Callable[[Pack | OldPack], _Part], own: Callable[[], _Part]
    ) -> _Part:
        if pack := self.bundles.pack(key):
            return bundled(pack)
        try:
            return own()
        except CorruptedError:
            # Another process may have just bundled it.
            if not self.bundles.has(key):
                raise
        pack = self.bundles.pack(key)
        assert pack is not None
        return bundled(pack)

    def content(self, key: str) -> CellContent:
        """The files of a cell that has files of its own; CorruptedError if they are not those that
        were written for it."""
        contents = {}
        for suffix, sha256 in self._digests(key).items():
            path = self._file(key, suffix, sha256)
            content = read_written(path, "the file of a finished cell")
            contents[suffix] = check_digest(content, sha256, path)
            if suffix == "json":
                read_record(content, key, path)
        return CellContent(key, contents["json"], contents["parquet"])

    def intact_content(self, key: str) -> CellContent | None:
        """The files of a cell whose marker is corrupted, if their digests are in their names."""
        contents = {}
        for name in names_in(self.folder):
            owner, _, rest = name.partition(".")
            start, _, suffix = rest.partition(".")
            if owner != key or suffix not in _SUFFIXES:
                continue
            with suppress(CorruptedError):
                content = read_written(self.folder / name, "a cell's file")
                if digest(content)[:16] == start:
                    if suffix == "json":
                        read_record(content, key, self.folder / name)
                    contents[suffix] = content
        if contents.keys() != set(_SUFFIXES):
            return None
        return CellContent(key, contents["json"], contents["parquet"])

    def corrupted(self) -> Iterator[tuple[str, CorruptedError]]:
        """Keys of cells whose files are not those that were written, each with its error."""
        for key in sorted(self.loose()):
            try:
                self.content(key)
            except CorruptedError as error:
                if self._is_loose(key):  # another process may have just bundled it
                    yield key, error

    def remove(self, key: str) -> None:
        """Delete a cell's own files, the marker first; StudyError if that cannot be done."""
        for path in self.paths(key):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error) from error

    def paths(self, key: str) -> list[Path]:
        """A cell's own files, the marker first: those that the marker names or, if that is
        corrupted, all that have the cell's key."""
        try:
            files = list(self.files(key).values())
        except CorruptedError:
            names = names_in(self.folder)
            files = [self.folder / name for name in names if name.startswith(f"{key}.")]
        marker = self._marker(key)
        return [marker, *(path for path in files if path != marker)]

    def files(self, key: str) -> dict[str, Path]:
        """A finished cell's files by suffix, `parquet` and `json`."""
        digests = self._digests(key)
        return {suffix: self._file(key, suffix, sha256) for suffix, sha256 in digests.items()}

    def _marker(self, key: str) -> Path:
        return self.folder / f"{key}.done"

    def _is_loose(self, key: str) -> bool:
        marker = self._marker(key)
        try:
            marker.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unreadable(marker, error) from error
        return True

    def _file(self, key: str, suffix: str, sha256: str) -> Path:
        return self.folder / f"{key}.{sha256[:16]}.{suffix}"

    def _digests(self, key: str) -> dict[str, str]:
        marker = self._marker(key)
        content = read_json(read_written(marker, "a finished cell"), marker, "a cell's digests")
        if not all(is_digest(content.get(suffix)) for suffix in _SUFFIXES):
            raise CorruptedError(marker, found="no digests", expected="a cell's digests")
        return {suffix: content[suffix] for suffix in _SUFFIXES}
