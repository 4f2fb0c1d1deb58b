"""The lock is written whole and sorted, and read back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.lock import Lock, LockedFile, LockedModel, LockedTask, read_lock, write_lock

FILE = LockedFile(size=3, mtime_ns=5, sha256="f")
FILES = {"model.safetensors": FILE}
MODEL = LockedModel(revision="abc", weights="w", tokenizer="t", generation="g", files=FILES)
TASK = LockedTask(data_set="d", revision=None, version="1", items="i", n_items=4)


def test_a_lock_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "study.lock.json") == Lock()


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    lock = Lock().with_model("b", MODEL).with_model("a", MODEL).with_task("t", TASK)
    write_lock(path, lock)
    assert read_lock(path) == lock
    content = json.loads(path.read_text())
    assert list(content) == ["models", "tasks"]
    assert list(content["models"]) == ["a", "b"]
    write_lock(path, Lock().with_task("t", TASK).with_model("a", MODEL).with_model("b", MODEL))
    assert json.loads(path.read_text()) == content


def test_an_entry_is_replaced_and_the_lock_itself_does_not_change() -> None:
    lock = Lock().with_model("a", MODEL).with_task("t", TASK)
    other = lock.with_model("a", MODEL.model_copy(update={"weights": "x"}))
    assert lock.models["a"].weights == "w"
    assert other.models["a"].weights == "x"
    assert other.tasks == lock.tasks
    assert lock.with_task("u", TASK).models == lock.models


@pytest.mark.parametrize("content", ["{", "[]", '{"models": {"a": {}}}', '{"other": {}}'])
def test_a_corrupted_lock_is_an_error(content: str, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    path.write_text(content)
    with pytest.raises(
        StudyError, match=rf"found no lock; .*Remove it and run `study stage {tmp_path}"
    ):
        read_lock(path)
