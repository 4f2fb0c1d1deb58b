"""Mutants of study.lock.json: a lock of this version and one of the first, with models and tasks.
They are read as planning reads them, and upgraded as staging does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

from study.errors import StudyError
from study.models.pairs import zoo
from study.models.weights import locked_model, unchanged
from study.results.lock import (
    FILE_NAME,
    NO_DIGEST,
    VERSION,
    Lock,
    LockedTask,
    read_lock,
    upgrade_lock,
    write_lock,
)
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import as_json, changed_bytes, changed_content

MODELS = {role: Path(zoo()[0].member(role).path) for role in ("base", "tuned")}
DIGEST = re.compile("[0-9a-f]{64}")
INVALID = (
    b'{"version": 2, "version": 2, "models": {}, "tasks": {}}',
    b'{"version": true, "models": {}, "tasks": {}}',
    b'{"version": 2.0, "models": {}, "tasks": {}}',
    b'{"version": 10, "models": {}, "tasks": {}}',
    b'{"version": 2, "models": {}, "tasks": {}} {}',
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b"NaN",
    b'"version"',
)
"Files that are no lock."


class FuzzLocks(Fuzzer):
    """Locks."""

    name = "locks"

    def prepare(self, folder: Path) -> None:
        lock = Lock()
        for role, path in MODELS.items():
            model = locked_model(path, allow_pickled_weights=False)
            lock = lock.with_model(f"zoo/{role}", model.model_copy(update={"revision": "a" * 40}))
        task = LockedTask(data_set="org/d", revision=None, version="1", items="b" * 64, n_items=9)
        lock = lock.with_task("task", task)
        write_lock(folder / FILE_NAME, lock)
        self.current = json.loads((folder / FILE_NAME).read_text())
        self.first = json.loads((folder / FILE_NAME).read_text())
        del self.first["version"]
        for entry in self.first["models"].values():
            del entry["generation"]
        self.read(folder, Mutant("nothing", {}, self.current))

    def mutant(self, random: Random) -> Mutant:
        content = random.choice((self.current, self.current, self.first))
        kind = random.random()
        if kind < 0.05:
            return Mutant("no lock", {FILE_NAME: random.choice(INVALID)}, invalid=True)
        if kind < 0.7:
            content, change = changed_content(content, random)
            return Mutant(change, {FILE_NAME: as_json(content)})
        data, change, invalid = changed_bytes(as_json(content), random)
        return Mutant(change, {FILE_NAME: data}, invalid=invalid)

    def read(self, folder: Path, mutant: Mutant) -> None:
        path = folder / FILE_NAME
        before = path.read_bytes()
        try:
            lock = read_lock(path)
        except StudyError:
            # What staging does with a lock of the first version.
            upgrade_lock(path)
            lock = read_lock(path)
            assert "version" not in json.loads(before), "another version was upgraded"
        content = json.loads(before)
        if "version" not in content:  # it was upgraded
            for model in content.get("models", {}).values():
                model.setdefault("generation", NO_DIGEST)
                model["files"] = {}
        assert content.pop("version", VERSION) == VERSION
        _check(content, lock)
        for role, folder_of_model in MODELS.items():
            if model := lock.models.get(f"zoo/{role}"):
                unchanged(folder_of_model, model)


def _check(content: dict[str, Any], lock: Lock) -> None:
    """The lock says what the file says, and every value is what it must be."""
    sections = {"models": {}, "tasks": {}}
    assert lock.model_dump() == {**sections, **content}, "a lock that the file does not say"
    for model in lock.models.values():
        assert model.revision is None or re.fullmatch("[0-9a-f]{40}", model.revision)
        assert all(map(DIGEST.fullmatch, (model.weights, model.tokenizer, model.generation)))
        for name, file in model.files.items():
            assert name.isprintable()
            assert DIGEST.fullmatch(file.sha256)
            assert type(file.size) is type(file.mtime_ns) is int
            assert file.size >= 0
    for task in lock.tasks.values():
        assert DIGEST.fullmatch(task.items)
        assert type(task.n_items) is int
        assert task.n_items >= 0
