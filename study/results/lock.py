"""`study.lock.json`: what a study was staged with, so that every job everywhere uses the same.

In and out: a run's folder. The lock holds, for each model, the commit on the hub and digests of its
files; for each task, the data set's revision and a digest of its items. Jobs refuse what differs;
each cell's record names the lock it was computed under. A file that has neither another size nor
another time than in the lock is not digested again, which for large weights takes minutes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import Field, ValidationError

from study.errors import StudyError
from study.results.files import write_whole
from study.validation import Strict

FILE_NAME = "study.results.lock.json"


class LockedFile(Strict):
    """A file as it was digested."""

    size: int
    mtime_ns: int
    sha256: str


class LockedModel(Strict):
    """A model as it was staged."""

    revision: str | None
    "Commit on the hub; None: a folder."
    weights: str
    tokenizer: str
    files: dict[str, LockedFile]
    "By name in its folder."


class LockedTask(Strict):
    """A task's data as it was staged."""

    data_set: str | None
    revision: str | None
    "Commit of the data set on the hub, where it comes from there."
    version: str
    items: str
    n_items: int


class Lock(Strict):
    """All that was staged, by name."""

    models: dict[str, LockedModel] = Field(default_factory=dict)
    tasks: dict[str, LockedTask] = Field(default_factory=dict)


def read_lock(run: Path) -> Lock:
    """The run's lock, empty if nothing was staged; StudyError if the file is damaged."""
    path = run / FILE_NAME
    try:
        return Lock.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Lock()
    except (ValueError, ValidationError):
        raise StudyError(path, found="no lock", expected="what `study stage` wrote",
                         do=f"Remove it and run `study stage {run}`") from None  # fmt: skip


def write_lock(run: Path, lock: Lock) -> None:
    """Writes it whole, sorted, so that it can stand in git."""
    parts = {
        "models": dict(sorted(lock.model_dump()["models"].items())),
        "tasks": dict(sorted(lock.model_dump()["tasks"].items())),
    }
    write_whole(run / FILE_NAME, (json.dumps(parts, indent=1) + "\n").encode())


def lock_digest(run: Path) -> str | None:
    """sha256 of the lock file; None without one."""
    try:
        return hashlib.sha256((run / FILE_NAME).read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
