"""Files that are written whole: a reader sees all of a file or nothing of it.

In: a path and its content. Out: the file, or a StudyError that says why it cannot be written.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from study.errors import StudyError


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, and rename it."""
    # Machines that share a folder may have processes of the same number.
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
    """Flush a file that has been written to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def unwritable(path: Path, error: OSError) -> StudyError:
    """The error for a full disk or a folder without write permission."""
    return StudyError(
        path,
        found=error.strerror or str(error),
        expected="a folder that can be written to",
        do="Free space or change the permissions, then run the same command again",
    )


def file_name(model: str) -> str:
    """A model's name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in model)[-120:]
