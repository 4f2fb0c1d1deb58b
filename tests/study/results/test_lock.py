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
    assert upgraded.models["a"] == MODEL.model_copy(update={"generation": NO_DIGEST, "files": {}})
    assert upgraded.tasks["t"] == TASK
    upgrade_lock(path)
    assert read_lock(path) == upgraded


@pytest.mark.parametrize(
    ("where", "value", "valid"),
    [
        (("models", "a", "files", "model.safetensors", "size"), 0, True),
        (("models", "a", "files", "model.safetensors", "size"), 2**63 - 1, True),
        (("models", "a", "files", "model.safetensors", "size"), 2**63, False),
        (("models", "a", "files", "model.safetensors", "mtime_ns"), -1, True),
        (("models", "a", "files", "model.safetensors", "mtime_ns"), 1.5, False),
        *((("models", "a", part), A, True) for part in ("weights", "tokenizer", "generation")),
        *((("models", "a", part), "a" * 65, False) for part in ("weights", "tokenizer")),
        (("models", "a", "generation"), None, False),
        (("models", "a", "revision"), None, True),
        (("models", "a", "revision"), "d" * 39, False),
        (("models", "a", "revision"), "d" * 41, False),
        (("models", "a", "revision"), "g" * 40, False),
        (("tasks", "t", "revision"), "d" * 40, True),
        (("tasks", "t", "revision"), "main", False),
        (("tasks", "t", "data_set"), None, True),
        (("tasks", "t", "data_set"), 5, False),
        (("tasks", "t", "version"), 1, False),
        (("tasks", "t", "items"), "e", False),
        (("tasks", "t", "n_items"), 0, True),
        (("tasks", "t", "n_items"), -1, False),
        (("tasks", "t", "n_items"), True, False),
    ],
    ids=str,
)
def test_values_of_a_lock(where: tuple[str, ...], value: Any, valid: bool, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    content = part = _written(path)
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    path.write_text(json.dumps(content))
    if valid:
        read_lock(path)
    else:
        with pytest.raises(StudyError, match=rf"no lock \({where[0]}\.{where[1]}.*{where[-1]}"):
            read_lock(path)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("/".join(["n" * 199] * 5), True),
        ("/".join(["n" * 200] * 5), False),
        ("", False),
        ("a\tb", False),
        ("ü/x y", True),
    ],
)
def test_names_in_a_lock(name: str, valid: bool, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    content = _written(path)
    content["models"][name] = content["models"].pop("a")
    path.write_text(json.dumps(content))
    if valid:
        assert set(read_lock(path).models) == {name}
    else:
        with pytest.raises(StudyError, match=r"found no lock \(models\.") as error:
            read_lock(path)
        assert len(str(error.value)) < 1000


@pytest.mark.parametrize("version", [1, 3, "2", True, 2.0, [2], None])
def test_the_version_is_the_number_2(version: Any, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    path.write_text(json.dumps({"version": version, "models": {}, "tasks": {}}))
    message = "earlier version" if version is None else r"found no lock \(version "
    with pytest.raises(StudyError, match=message):
        read_lock(path)
    path.write_text(json.dumps({"version": 2}))
    assert read_lock(path) == Lock()


@pytest.mark.parametrize(
    "content", [None, {"version": 2}, {"models": []}, {"models": {"a": 1}}, {"models": {}}]
)
def test_what_is_upgraded(content: dict[str, Any] | None, tmp_path: Path) -> None:
    path = tmp_path / "study.lock.json"
    if content is not None:
        path.write_text(json.dumps(content))
    before = path.read_bytes() if content is not None else None
    if content in ({"models": []}, {"models": {"a": 1}}):
        with pytest.raises(StudyError, match=r"found no lock \(models"):
            upgrade_lock(path)
        assert path.read_bytes() == before
        return
    upgrade_lock(path)
    if content == {"models": {}}:
        assert read_lock(path) == Lock()
    else:
        assert (path.read_bytes() if path.exists() else None) == before
