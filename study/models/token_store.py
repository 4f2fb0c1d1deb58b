"""Token ids of a run, kept on disk for its other processes and for the next command.

In: content by key (study.inference: `EncodingStore`). Out: `results/cache/tokens/`, which is no
part of the results: it may be deleted at any time. A key is a digest of everything that decides the
content, so that processes that write at once write the same. Files are read whole and not mapped:
what is mapped could change after its digest was checked.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from study.errors import StudyError
from study.results.files import NoFileError, read_regular, write_whole

MAX_BYTES = 4 * 2**30
"Size above which the files that were written first are deleted."
KEPT_SHARE = 0.75
"Share of `MAX_BYTES` that remains."
DIGEST_BYTES = hashlib.sha256().digest_size


class TokenStore:
    """The files of a folder, one for each key."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self._bytes: int | None = None
        "Size of all files, as far as this process knows; None before the first write."

    def read(self, key: str) -> bytes | None:
        """What was written under a key; None if there is nothing, or it cannot be used."""
        try:
            content = read_regular(self.folder / key)
        except (NoFileError, StudyError):  # whoever cannot read it encodes again
            return None
        digest, rest = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        return rest if digest == _digest(key, rest) else None

    def write(self, key: str, content: bytes) -> None:
        """Store the content that belongs to a key, if that is possible."""
        with suppress(StudyError):  # nothing is lost: a full disk is reported by what needs it
            write_whole(self.folder / key, _digest(key, content) + content)
        if self._bytes is None:
            self._bytes = sum(size for _, size, _ in self._files())
        else:
            self._bytes += len(content)
        if self._bytes > self._max_bytes:
            self._bytes = self._delete_oldest()

    def _files(self) -> list[tuple[float, int, str]]:
        """(time of writing, size, path) of every file."""
        files = []
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):  # another process has just deleted it
                    status = entry.stat(follow_symlinks=False)
                    files.append((status.st_mtime, status.st_size, entry.path))
        return files

    def _delete_oldest(self) -> int:
        """Delete what was written first; returns the size of what remains."""
        files = sorted(self._files())
        remaining = sum(size for _, size, _ in files)
        for _, size, path in files:
            if remaining <= KEPT_SHARE * self._max_bytes:
                break
            with suppress(OSError):
                os.unlink(path)
            remaining -= size
        return remaining


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()
