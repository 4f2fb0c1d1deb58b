"""Finished cells: written whole, marked as done last, and checked when they are read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.results.cell_store.store import CellStore
from study.results.schema import RESPONSES

KEY = "0" * 64
RECORD = {"score": 0.5, "task": "t"}
ITEM: dict[str, Any] = {
    "item": 0,
    "prompt_hash": "p",
    "shots": 5,
    "truncated": False,
    "logprobs": [-1.5, -0.1],
    "greedy": [False, True],
    "tokens": [1, 2],
    "bytes": [3, 4],
    "characters": [3, 4],
    "texts": [],
}


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "cells", tmp_path / "packs", RESPONSES)


def test_a_store_without_a_folder_is_empty(store: CellStore) -> None:
    assert store.done() == store.loose() == set()
    assert not store.has(KEY)
    assert list(store.corrupted()) == []
    assert not store.folder.exists()


def test_written_and_read(store: CellStore) -> None:
    store.write(KEY, RECORD, [ITEM, {**ITEM, "item": 1, "texts": ["said"], "logprobs": None}])
    assert store.done() == store.loose() == {KEY}
    assert store.has(KEY)
    assert store.record(KEY) == RECORD
    items = store.items(KEY)
    assert items.column_names == list(RESPONSES)
    assert items.to_pylist() == [ITEM, {**ITEM, "item": 1, "texts": ["said"], "logprobs": None}]
    two = store.items(KEY, ["item", "texts"])
    assert two.to_pydict() == {"item": [0, 1], "texts": [[], ["said"]]}
    assert list(store.corrupted()) == []


def test_files_are_named_by_key_and_content_and_nothing_else_is_in_the_folder(
    store: CellStore,
) -> None:
    store.write(KEY, RECORD, [ITEM])
    files = store.files(KEY)
    digests = json.loads((store.folder / f"{KEY}.done").read_text())
    assert {suffix: path.name for suffix, path in files.items()} == {
        suffix: f"{KEY}.{digests[suffix][:16]}.{suffix}" for suffix in ("parquet", "json")
    }
    names = {path.name for path in store.folder.iterdir()}
    assert names == {f"{KEY}.done", *(path.name for path in files.values())}


def test_without_its_marker_a_cell_is_not_done(store: CellStore) -> None:
    store.write(KEY, RECORD, [ITEM])
    (store.folder / f"{KEY}.done").unlink()
    assert store.done() == set()
    assert not store.has(KEY)
    with pytest.raises(StudyError, match=r"\.done: found no such file"):
        store.record(KEY)
    with pytest.raises(StudyError, match=r"\.done: found no such file"):
        store.items(KEY)


def test_two_processes_that_write_one_cell_leave_one_that_is_valid(store: CellStore) -> None:
    """Whichever marker is the last, both of its files are there."""
    store.write(KEY, {**RECORD, "seconds": 1}, [ITEM])
    marker = (store.folder / f"{KEY}.done").read_bytes()
    store.write(KEY, {**RECORD, "seconds": 2}, [ITEM])
    assert store.record(KEY)["seconds"] == 2
    (store.folder / f"{KEY}.done").write_bytes(marker)
    assert store.record(KEY)["seconds"] == 1
    assert list(store.corrupted()) == []


WRITES = """
import sys
from pathlib import Path

from study.results.cell_store.store import CellStore

from study.results.schema import RESPONSES

folder = Path(sys.argv[1])
for number in range(40):
    store = CellStore(folder, folder.parent / "packs", RESPONSES)
    store.write(f"{number % 8:064}", {"by": sys.argv[2]}, [])
"""


def test_many_processes_write_into_one_folder(store: CellStore) -> None:
    arguments = [sys.executable, "-c", WRITES, str(store.folder)]
    processes = [subprocess.Popen([*arguments, str(number)]) for number in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert store.done() == {f"{number:064}" for number in range(8)}
    assert list(store.corrupted()) == []
    assert not list(store.folder.glob(".*"))


@pytest.mark.parametrize(
    ("suffix", "content", "words"),
    [
        ("parquet", b"", r"\.parquet: found 0 bytes with another digest than when .* written"),
        ("json", b"{}", r"\.json: found 2 bytes with another digest"),
        ("parquet", None, r"\.parquet: found no such file; expected the file of a finished cell"),
        ("json", None, r"\.json: found no such file"),
        ("done", b"{", rf"{KEY}\.done: found no digests"),
        ("done", b"[]", rf"{KEY}\.done: found no digests"),
        ("done", b'{"json": "x"}', rf"{KEY}\.done: found no digests"),
    ],
)
def test_a_corrupted_cell_is_an_error(
    suffix: str, content: bytes | None, words: str, store: CellStore
) -> None:
    store.write(KEY, RECORD, [ITEM])
    store.write("1" * 64, RECORD, [ITEM])
    path = {**store.files(KEY), "done": store.folder / f"{KEY}.done"}[suffix]
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(StudyError, match=words) as error:
        store.record(KEY)
    assert "Run the study again: the cell is then recomputed" in str(error.value)
    ((key, same),) = store.corrupted()
    assert key == KEY
    assert str(same) == str(error.value)
    store.remove(KEY)
    assert store.done() == {"1" * 64}
    assert len(list(store.folder.glob(f"{'1' * 64}.*"))) == 3
    assert not list(store.folder.glob("1.*"))
    store.write(KEY, RECORD, [ITEM])
    assert store.record(KEY) == RECORD


def test_a_removed_cell_leaves_no_file(store: CellStore) -> None:
    store.write(KEY, RECORD, [ITEM])
    store.remove(KEY)
    store.remove(KEY)
    assert list(store.folder.iterdir()) == []
