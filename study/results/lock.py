"""The lock, `study.lock.json`: revisions and digests of everything that a study was staged with.

In and out: the file. For each model the lock holds the hub commit and the digests of its files; for
each task, the revision of its data set and the digest of its items. Jobs refuse what differs from
it, and every cell's record holds the lock's digest. A file with the size and modification time in
the lock is not digested again, which takes minutes for large weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, ValidationError

from study.errors import StudyError
from study.results.files import write_whole
from study.validation import Strict

FILE_NAME = "study.lock.json"
VERSION = 2
"Version of the format; 1 had no digest of generation_config.json and fewer files."
NO_DIGEST = "0" * 64
"In an upgraded lock, of what version 1 did not digest."
Digest = Annotated[str, StringConstraints(strict=True, pattern="^[0-9a-f]{64}$")]
Commit = Annotated[str, StringConstraints(strict=True, pattern="^[0-9a-f]{40}$")]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("characters that do not print")
    return text


Text = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=1000), AfterValidator(_printable)
]
Count = Annotated[StrictInt, Field(ge=0, lt=2**63)]


class LockedFile(Strict):
    """A file as it was digested."""

    size: Count
    mtime_ns: StrictInt
    sha256: Digest


class LockedModel(Strict):
    """A model as it was staged."""

    revision: Commit | None
    "Commit on the hub; None for a folder."
    weights: Digest
    tokenizer: Digest
    generation: Digest
    files: dict[Text, LockedFile]
    "By name in the model's folder; those of an adapter's base begin with `base/`."


class LockedTask(Strict):
    """A task's data as they were staged."""

    data_set: Text | None
    revision: Commit | None
    "Commit of the data set on the hub, if it comes from there."
    version: Text
    items: Digest
    n_items: Count


class Lock(Strict):
    """Everything that was staged, by name."""

    models: dict[Text, LockedModel] = Field(default_factory=dict)
    tasks: dict[Text, LockedTask] = Field(default_factory=dict)

    def with_model(self, name: str, model: LockedModel) -> Lock:
        """The lock with a model added or replaced."""
        return Lock(models={**self.models, name: model}, tasks=self.tasks)

    def with_task(self, name: str, task: LockedTask) -> Lock:
        """The lock with a task added or replaced."""
        return Lock(models=self.models, tasks={**self.tasks, name: task})


def read_lock(path: Path) -> Lock:
    """Read the file; empty if it does not exist, StudyError if it is corrupted."""
    content = _content(path)
    if content is None:
        return Lock()
    version = content.pop("version", None)
    if version is None and content.keys() <= {"models", "tasks"}:
        raise StudyError(
            path,
            found="a lock of an earlier version, which has not all digests",
            expected=f"one of version {VERSION}",
            do=f"Run `study stage {path.parent}`: it keeps the revisions",
        )
    if type(version) is not int or version != VERSION:
        raise _no_lock(path, f"version {version!r}"[:80])
    return _validated(path, content)


def upgrade_lock(path: Path) -> None:
    """Rewrite a lock of version 1 as one of this version, in which every model counts as changed:
    its revision is kept, its digests are not."""
    content = _content(path)
    if content is None or "version" in content:
        return
    models = content.get("models")
    for model in models.values() if isinstance(models, dict) else ():
        if isinstance(model, dict):
            model.setdefault("generation", NO_DIGEST)
    lock = _validated(path, content)
    for name, locked in lock.models.items():
        lock = lock.with_model(name, locked.model_copy(update={"files": {}}))
    write_lock(path, lock)


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock whole and sorted, so that it can be kept in git."""
    content = lock.model_dump()
    sections = {name: dict(sorted(content[name].items())) for name in ("models", "tasks")}
    text = json.dumps({"version": VERSION, **sections}, indent=1) + "\n"
    write_whole(path, text.encode())


def _content(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file, None if there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StudyError(
            path, found=str(error.strerror).lower(), expected="a readable file"
        ) from None
    except (ValueError, RecursionError):
        raise _no_lock(path, "no JSON") from None
    if not isinstance(content, dict):
        raise _no_lock(path, f"a {type(content).__name__}")
    return content


def _unique(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(entries)
    if len(content) < len(entries):
        raise ValueError("a key stands twice")
    return content


def _validated(path: Path, content: dict[str, Any]) -> Lock:
    try:
        return Lock.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise _no_lock(path, f"{place[:200]}: {fault['msg'][:200]}") from None


def _no_lock(path: Path, fault: str) -> StudyError:
    return StudyError(
        path,
        found=f"no lock ({fault})",
        expected="what `study stage` wrote",
        do=f"Remove it and run `study stage {path.parent}`",
    )
