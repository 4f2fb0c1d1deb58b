"""Watches which files of a model are opened while it is loaded.

In: the files that are part of its identity. Out: a StudyError if another file of its folder, or of
the hub's cache, was opened: what a later version of transformers may read as well must not move a
number without being noticed. Files that are read in Rust are not seen (see `files`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from study.errors import StudyError

_opened: list[set[str]] = []
"For each active watch, the paths opened for reading so far."
# Audit hooks cannot be removed, so one is installed once, and does nothing while there is no watch.
_installed = False


@contextmanager
def only_known_files(folders: Iterable[Path], files: Iterable[Path]) -> Iterator[None]:
    """StudyError at the end of the context if a file below one of the folders, or in the hub's
    cache, was opened that is not one of `files`."""
    from huggingface_hub.constants import HF_HUB_CACHE

    roots = [*folders, Path(HF_HUB_CACHE)]
    opened: set[str] = set()
    _install()
    _opened.append(opened)
    try:
        yield
    finally:
        # Sets are compared by content; this one is removed by identity.
        _opened[:] = [other for other in _opened if other is not opened]
    known = {os.path.realpath(file) for file in files}
    places = {os.path.abspath(root) for root in roots} | {os.path.realpath(root) for root in roots}
    for path in sorted(opened):
        real = os.path.realpath(path)
        if real not in known and os.path.isfile(real) and _below((path, real), places):
            raise StudyError(
                path,
                found="a file that was read when the model was loaded",
                expected="only files that are part of the model's identity",
                do="Remove it if the model does not need it, or report it: its name is unknown",
            )


def _below(paths: Iterable[str], places: Iterable[str]) -> bool:
    places = tuple(place.rstrip(os.sep) + os.sep for place in places)
    return any(path.startswith(places) for path in paths)


def _install() -> None:
    global _installed
    if not _installed:
        sys.addaudithook(_on_event)
        _installed = True


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    """Record a file that is opened for reading."""
    if event != "open" or not _opened:
        return
    path, _, flags = arguments
    if isinstance(path, int) or (flags or 0) & os.O_ACCMODE == os.O_WRONLY:
        return
    with suppress(OSError, TypeError):  # the working directory may be gone
        name = os.path.abspath(os.fsdecode(path))
        for opened in tuple(_opened):
            opened.add(name)
