"""Files written so that a reader sees all of them or nothing.

In: a path and its content. Out: the file, or a StudyError that says why not.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from study.errors import StudyError


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside `path`, flushes to disk, and renames: a reader sees all of it or nothing."""
    # Machines that share the folder may have processes of one number.
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def flush(path: Path) -> None:
    """Sees to it that what was written is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def unwritable(path: Path, error: OSError) -> StudyError:
    """What to say when a disk is full or a folder may not be written to."""
    return StudyError(
        path,
        found=error.strerror or str(error),
        expected="a folder that can be written to",
        do="Free space or change the permissions, then run the same command again",
    )


def file_name(model: str) -> str:
    """A model's name as a part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in model)[-120:]
