"""Corrupted files: how they are recognised, reported, and moved aside.

In: content and the digest it was written with. Out: the content, or a `CorruptedError`. Only
missing files, other content than was written and unreadable formats are corruption; a file that
cannot be read for another reason is a `StudyError` that stops the command, and is left alone.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.results.files import (
    NoFileError,
    open_regular,
    read_regular,
    unreadable,
    unwritable,
)

RUN_AGAIN = "Run the study again: the cell is then recovered or recomputed"
FOLDER = "corrupted"
"Beside the folder of the cells."


class CorruptedError(StudyError):
    """A file's content is not what was written."""

    def __init__(self, path: Path, *, found: str, expected: str) -> None:
        """`found` and `expected` are contents."""
        super().__init__(path, found=found, expected=expected, do=RUN_AGAIN)


def read_written(path: Path, expected: str) -> bytes:
    """Content of a file that was written; CorruptedError if it is not there."""
    try:
        return read_regular(path)
    except NoFileError as error:
        raise CorruptedError(path, found=str(error), expected=expected) from None


def check_digest(content: bytes, sha256: str, path: Path) -> bytes:
    """The content; CorruptedError unless it has this digest."""
    if digest(content) != sha256:
        raise _changed(path, len(content))
    return content


def check_file(path: Path, sha256: str) -> None:
    """CorruptedError unless a file, which may be large, is there and has this digest."""
    try:
        with open_regular(path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            length = file.tell()
    except NoFileError as error:
        raise CorruptedError(path, found=str(error), expected="what was written") from None
    except OSError as error:
        raise unreadable(path, error) from error
    if found != sha256:
        raise _changed(path, length)


def _changed(path: Path, length: int) -> CorruptedError:
    found = f"{length} bytes with another digest than when they were written"
    return CorruptedError(path, found=found, expected="what was written")


def read_json(content: bytes, path: Path, expected: str) -> dict[str, Any]:
    """An object in JSON; CorruptedError if it is none."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise CorruptedError(path, found="no object in JSON", expected=expected)
    return parsed


def read_record(content: bytes, key: str, path: Path) -> dict[str, Any]:
    """A cell's record; CorruptedError if it is another cell's."""
    record = read_json(content, path, "a cell's record")
    if record.get("key") != key:
        found = f"the record of cell {str(record.get('key'))[:64]!r}"
        raise CorruptedError(path, found=found, expected=f"that of cell {key}")
    return record


def is_digest(value: object) -> bool:
    """Whether a value is a sha256 in hexadecimal digits."""
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def digest(content: bytes) -> str:
    """The sha256 of content."""
    return hashlib.sha256(content).hexdigest()


class Aside:
    """A folder in `results/corrupted` for what one command moves there, made when needed."""

    def __init__(self, results: Path) -> None:
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        self.folder = results / FOLDER / name

    def move(self, paths: Iterable[Path]) -> None:
        """Move files or folders that exist, in this order, with their names; StudyError if one
        cannot be moved."""
        for path in paths:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                shutil.move(path, self.folder / path.name)
            except FileNotFoundError:
                continue  # another process has just moved it
            except OSError as error:
                raise unwritable(path, error) from error
