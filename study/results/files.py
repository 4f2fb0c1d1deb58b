"""Files that are written whole: a reader sees all of a file or nothing of it.

In: a path and its content. Out: the file, or a StudyError that says why it cannot be written or
read. Until a file is complete it has a temporary name that says which process writes it, so that
`sweep` can tell what killed processes left behind from what is being written.
"""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from study.errors import StudyError
from study.processes import ProcessIdentity

ABANDONED_SECONDS = 7 * 24 * 3600.0
"""Age after which a temporary file is deleted whose writer cannot be seen from this machine: on
another host, before the last boot, in another container."""
MAX_NAME_BYTES = 120
_TEMPORARY = re.compile(r"\.writing\.(.+)\.([0-9a-f]*)\.([0-9]+)\.([0-9]+)\.([0-9]+)\.[0-9]+")
_EARLIER_TEMPORARY = re.compile(r"\.[0-9a-f]{16}([0-9a-f]{48})?\..+")
"What earlier versions wrote in the folders of cells and bundles."
_WITH_DIGEST = re.compile(r".*\.[0-9a-f]{16}")
_numbers = itertools.count()


class NoFileError(Exception):
    """There is no regular file of that name; the text says what there is."""


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, and rename it."""
    with writing(path) as temporary, temporary.open("wb") as file:
        file.write(content)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files as `write_whole` does, each in a thread: flushes that wait for the disk
    at the same time share one commit of its file system's journal."""
    with ThreadPoolExecutor(len(contents)) as pool:
        for _ in pool.map(write_whole, contents.keys(), contents.values()):
            pass  # raises what the thread raised


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path for a file, or a folder of files, that is flushed to disk and renamed to
    `path` in the end; StudyError, and nothing remains, if it cannot be written."""
    temporary = temporary_path(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for part in [*temporary.iterdir(), temporary] if temporary.is_dir() else [temporary]:
            flush(part)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        _delete(temporary)


def temporary_path(folder: Path) -> Path:
    """A name for a temporary file or folder of the calling process, never the same twice."""
    # Machines that share a folder may have processes of the same number.
    me = ProcessIdentity.current()
    identity = f"{me.host}.{me.boot}.{me.namespace}.{me.pid}.{me.born}"
    return folder / f".writing.{identity}.{next(_numbers)}"


def sweep(folder: Path) -> int:
    """Delete the temporary files that killed processes left in a folder and those in it.

    Nothing is deleted that a living process may be writing: its process is gone, or, if that cannot
    be seen from here, it has not changed for `ABANDONED_SECONDS`. Returns how many were deleted.
    """
    abandoned = []
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            if name.startswith(".") and _is_abandoned(path):
                abandoned.append(path)
        folders[:] = [name for name in folders if not name.startswith(".writing.")]
    for path in abandoned:
        _delete(path)
    return len(abandoned)


def flush(path: Path) -> None:
    """Flush a file that has been written to disk, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_names(folder: Path) -> None:
    """Flush the names in a folder to disk, where its file system can do that."""
    try:
        flush(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading; NoFileError if there is none, StudyError if it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for a writer
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return open(descriptor, "rb")
        os.close(descriptor)
    except OSError as error:
        if error.errno in NO_FILE:
            raise NoFileError(NO_FILE[error.errno]) from None
        raise unreadable(path, error) from error
    raise NoFileError("something that is not a file")


def read_regular(path: Path) -> bytes:
    """Content of a file; NoFileError if there is none, StudyError if it cannot be read."""
    with open_regular(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise unreadable(path, error) from error


NO_FILE = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.ELOOP: "a loop of symbolic links",
    errno.ENXIO: "something that is not a file",
}
"Errors that say that there is no file. All others say nothing of the file."


def names_in(folder: Path) -> list[str]:
    """Names in a folder; empty if there is none, StudyError if it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from error


def unwritable(path: Path, error: OSError) -> StudyError:
    """The error for a full disk or a folder without write permission."""
    return StudyError(
        path,
        found=error.strerror or str(error),
        expected="a folder that can be written to",
        do="Free space or change the permissions, then run the same command again",
    )


def unreadable(path: Path, error: OSError) -> StudyError:
    """The error for a file that is there and cannot be read, which says nothing of its content."""
    return StudyError(
        path,
        found=error.strerror or str(error),
        expected="a file or folder that can be read",
        do="Nothing was changed. Remove the cause, then run the same command again",
    )


def file_name(model: str) -> str:
    """A model's name as part of a file name: another one for every name, of ASCII only.

    A name that cannot be a file's is changed, and ends with a digest of what it was.
    """
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in model)
    if plain == model and len(plain) <= MAX_NAME_BYTES and not _WITH_DIGEST.fullmatch(plain):
        return plain
    digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{plain[-(MAX_NAME_BYTES - 17) :]}.{digest}"


def earlier_file_name(model: str) -> str:
    """What earlier versions took for it, which several models could share."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in model)[-MAX_NAME_BYTES:]


def _is_abandoned(path: Path) -> bool:
    """Whether a temporary file is one that no living process writes."""
    match = _TEMPORARY.fullmatch(path.name)
    if not match and not _EARLIER_TEMPORARY.fullmatch(path.name):
        return False
    try:
        if match:
            host, boot, *numbers = match.groups()
            namespace, pid, born = map(int, numbers)
            writer = ProcessIdentity(host, boot, namespace, pid, born)
            here = ProcessIdentity.current()
            if boot and (boot, namespace) == (here.boot, here.namespace):
                alive = writer.alive()
                if alive is not None:
                    return not alive
        parts = [path, *(path.iterdir() if path.is_dir() else ())]
        newest = max(part.lstat().st_mtime for part in parts)
        return bool(_clock(path.parent) - newest > ABANDONED_SECONDS)
    except OSError:
        return False  # it has just been renamed, or is another user's


def _clock(folder: Path) -> float:
    """The time by the clock that dates the files of a folder, which another machine may keep."""
    path = temporary_path(folder)
    path.touch()
    try:
        return path.stat().st_mtime
    finally:
        path.unlink()


def _delete(temporary: Path) -> None:
    with suppress(OSError):
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)
