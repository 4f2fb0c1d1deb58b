"""The lock is written whole and sorted, and read back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.results.lock import (
    NO_DIGEST,
    Lock,
    LockedFile,
    LockedModel,
    LockedTask,
    read_lock,
    upgrade_lock,
    write_lock,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
FILE = LockedFile(size=3, mtime_ns=5, sha256="f" * 64)
FILES = {"model.safetensors": FILE}
MODEL = LockedModel(revision="d" * 40, weights=A, tokenizer=B, generation=C, files=FILES)
TASK = LockedTask(data_set="d", revision=None, version="1", items="e" * 64, n_items=4)


def test_a_lock_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "study.lock.json") == Lock()


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    lock = Lock().with_model("b", MODEL).with_model("a", MODEL).with_task("t", TASK)
    write_lock(path, lock)
    assert read_lock(path) == lock
    content = json.loads(path.read_text())
    assert list(content) == ["version", "models", "tasks"]
    assert list(content["models"]) == ["a", "b"]
    write_lock(path, Lock().with_task("t", TASK).with_model("a", MODEL).with_model("b", MODEL))
    assert json.loads(path.read_text()) == content


def test_an_entry_is_replaced_and_the_lock_itself_does_not_change() -> None:
    lock = Lock().with_model("a", MODEL).with_task("t", TASK)
    other = lock.with_model("a", MODEL.model_copy(update={"weights": C}))
    assert lock.models["a"].weights == A
    assert other.models["a"].weights == C
    assert other.tasks == lock.tasks
    assert lock.with_task("u", TASK).models == lock.models


FAULTS: dict[str, Any] = {
    "a size that is no number": {"size": True},
    "a negative size": {"size": -1},
    "a size as text": {"size": "3"},
    "a digest that is none": {"sha256": "f" * 63},
    "a digest in capitals": {"sha256": "F" * 64},
    "an unknown key": {"other": 1},
}


def _written(path: Path) -> dict[str, Any]:
    write_lock(path, Lock().with_model("a", MODEL).with_task("t", TASK))
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("fault", FAULTS)
def test_every_value_is_checked(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    content = _written(path)
    content["models"]["a"]["files"]["model.safetensors"].update(FAULTS[fault])
    path.write_text(json.dumps(content))
    with pytest.raises(StudyError, match=r"found no lock \(models\.a\.files\.model\.safetensors"):
        read_lock(path)


def test_a_revision_is_a_commit(tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    content = _written(path)
    content["models"]["a"]["revision"] = "../../../etc/passwd"
    path.write_text(json.dumps(content))
    with pytest.raises(StudyError, match=r"models\.a\.revision"):
        read_lock(path)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 3}',
        b'{"version": 2, "models": {"a": {}}}',
        b'{"version": 2, "other": {}}',
        b'{"version": 2, "models": {}, "models": {}}',
    ],
)
def test_a_corrupted_lock_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    path.write_bytes(content)
    with pytest.raises(
        StudyError, match=rf"found no lock \(.*Remove it and run `study stage {tmp_path}"
    ):
        read_lock(path)


def test_a_folder_in_the_place_of_the_lock_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "study.lock.json").mkdir()
    with pytest.raises(StudyError, match="found is a directory; expected a readable file"):
        read_lock(tmp_path / "study.lock.json")


def test_a_lock_of_the_first_version_keeps_its_revisions(tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    content = _written(path)
    del content["version"], content["models"]["a"]["generation"]
    path.write_text(json.dumps(content))
    with pytest.raises(StudyError, match=r"earlier version.*study stage.*keeps the revisions"):
        read_lock(path)
    upgrade_lock(path)
    upgraded = read_lock(path)
    assert upgraded.models["a"] == MODEL.model_copy(update={"generation": NO_DIGEST})
    assert upgraded.tasks["t"] == TASK
    upgrade_lock(path)
    assert read_lock(path) == upgraded
