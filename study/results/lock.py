"""The lock, `study.lock.json`: revisions and digests of everything that a study was staged with.

In and out: the file. For each model the lock holds the hub commit and the digests of its files; for
each task, the revision of its data set and the digest of its items. Jobs refuse what differs from
it, and every cell's record holds the lock's digest. A file with the size and modification time in
the lock is not digested again, which takes minutes for large weights.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, ValidationError

from study.errors import StudyError
from study.results.files import write_whole
from study.validation import Strict

FILE_NAME = "study.lock.json"


class LockedFile(Strict):
    """A file as it was digested."""

    size: int
    mtime_ns: int
    sha256: str


class LockedModel(Strict):
    """A model as it was staged."""

    revision: str | None
    "Commit on the hub; None for a folder."
    weights: str
    tokenizer: str
    generation: str
    files: dict[str, LockedFile]
    "By file name."


class LockedTask(Strict):
    """A task's data as they were staged."""

    data_set: str | None
    revision: str | None
    "Commit of the data set on the hub, if it comes from there."
    version: str
    items: str
    n_items: int


class Lock(Strict):
    """Everything that was staged, by name."""

    models: dict[str, LockedModel] = Field(default_factory=dict)
    tasks: dict[str, LockedTask] = Field(default_factory=dict)

    def with_model(self, name: str, model: LockedModel) -> Lock:
        """The lock with a model added or replaced."""
        return Lock(models={**self.models, name: model}, tasks=self.tasks)

    def with_task(self, name: str, task: LockedTask) -> Lock:
        """The lock with a task added or replaced."""
        return Lock(models=self.models, tasks={**self.tasks, name: task})


def read_lock(path: Path) -> Lock:
    """Read the file; empty if it does not exist, StudyError if it is corrupted."""
    try:
        return Lock.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Lock()
    except (ValueError, ValidationError):
        raise StudyError(
            path,
            found="no lock",
            expected="what `study stage` wrote",
            do=f"Remove it and run `study stage {path.parent}`",
        ) from None


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock whole and sorted, so that it can be kept in git."""
    content = lock.model_dump()
    sections = {name: dict(sorted(content[name].items())) for name in ("models", "tasks")}
    write_whole(path, (json.dumps(sections, indent=1) + "\n").encode())
