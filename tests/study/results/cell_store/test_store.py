"""Finished cells: written whole, marked as done last, and checked when they are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.maintenance import compact
from study.results.cell_store.store import CellStore
from tests.study.results.cell_store.cells import SCHEMA, key, record, rows, store_in, write_cells

KEY = "0" * 64
RECORD = {"key": KEY, "score": 0.5, "task": "t"}
ITEM: dict[str, Any] = {
    "item": 0,
    "hash": "p",
    "score": 0.5,
    "truncated": False,
    "logprobs": [-1.5, -0.1],
    "greedy": [False, True],
    "tokens": [1, 2],
    "texts": [],
}


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return store_in(tmp_path)


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
    assert items.column_names == list(SCHEMA)
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


def test_the_marker_is_written_last(store: CellStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a cell is interrupted before its marker is there, it is not done; once it is, the
    cell can be read."""
    renamed: list[str] = []
    replace = os.replace

    def checked(source: Path, target: Path) -> None:
        assert store.done() == set()
        replace(source, target)
        renamed.append(target.suffix)

    monkeypatch.setattr(os, "replace", checked)
    store.write(KEY, RECORD, [ITEM])
    assert sorted(renamed[:2]) == [".json", ".parquet"]
    assert renamed[2:] == [".done"]
    assert store.record(KEY) == RECORD


def test_without_its_marker_a_cell_is_not_done(store: CellStore) -> None:
    store.write(KEY, RECORD, [ITEM])
    (store.folder / f"{KEY}.done").unlink()
    assert store.done() == set()
    assert not store.has(KEY)
    with pytest.raises(CorruptedError, match=r"\.done: found no such file"):
        store.record(KEY)
    with pytest.raises(CorruptedError, match=r"\.done: found no such file"):
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

from tests.study.results.cell_store.cells import store_in

for number in range(40):
    store_in(Path(sys.argv[1])).write(f"{number % 8:064}", {"by": sys.argv[2]}, [])
"""


def test_many_processes_write_into_one_folder(store: CellStore) -> None:
    arguments = [sys.executable, "-c", WRITES, str(store.folder.parent)]
    processes = [subprocess.Popen([*arguments, str(number)]) for number in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert store.done() == {f"{number:064}" for number in range(8)}
    assert list(store.corrupted()) == []
    assert not list(store.folder.glob(".*"))


def put(content: bytes) -> Callable[[Path], object]:
    """Another content for a file."""
    return lambda path: path.write_bytes(content)


def in_place_of(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else in the place of a file."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


OUTSIDE = json.dumps(dict.fromkeys(("parquet", "json"), "/../../../etc/passwd")).encode()


@pytest.mark.parametrize(
    ("suffix", "change", "words"),
    [
        ("parquet", put(b""), r"\.parquet: found 0 bytes with another digest than when .* written"),
        ("json", put(b"{}"), r"\.json: found 2 bytes with another digest"),
        ("parquet", Path.unlink, r"\.parquet: found no such file; expected the file of a finished"),
        ("json", Path.unlink, r"\.json: found no such file"),
        ("json", in_place_of(Path.mkdir), r"\.json: found something that is not a file"),
        ("done", put(b"{"), rf"{KEY}\.done: found no object in JSON"),
        ("done", put(b"[]"), rf"{KEY}\.done: found no object in JSON"),
        ("done", put(b"[" * 100_000), rf"{KEY}\.done: found no object in JSON"),
        ("done", put(b"\xff"), rf"{KEY}\.done: found no object in JSON"),
        ("done", put(b'{"json": "x"}'), rf"{KEY}\.done: found no digests"),
        ("done", put(b'{"json": 1, "parquet": null}'), rf"{KEY}\.done: found no digests"),
        ("done", put(OUTSIDE), rf"{KEY}\.done: found no digests"),
        ("done", in_place_of(Path.mkdir), r"\.done: found something that is not a file"),
        ("done", in_place_of(os.mkfifo), r"\.done: found something that is not a file"),
        ("done", in_place_of(lambda path: path.symlink_to(path)), "found a loop of symbolic links"),
        ("done", in_place_of(lambda path: path.symlink_to("nothing")), "found no such file"),
    ],
)
def test_a_corrupted_cell_is_one_error(
    suffix: str, change: Callable[[Path], object], words: str, store: CellStore
) -> None:
    store.write(KEY, RECORD, [ITEM])
    write_cells(store, range(1, 2))
    change({**store.files(KEY), "done": store.folder / f"{KEY}.done"}[suffix])
    assert store.has(KEY)
    for read in (store.record, store.items):
        with pytest.raises(CorruptedError, match=words) as error:
            read(KEY)
        assert "Run the study again: the cell is then recovered or" in str(error.value)
    ((corrupted, same),) = store.corrupted()
    assert corrupted == KEY
    assert str(same) == str(error.value)
    assert store.record(key(1)) == record(1)


def test_a_cell_is_accepted_under_its_own_key_only(store: CellStore) -> None:
    """Its three files renamed to another key, with all digests right."""
    write_cells(store, range(1))
    for path in list(store.folder.iterdir()):
        path.rename(path.with_name(path.name.replace(key(0), key(7))))
    assert store.done() == {key(7)}
    for read in (store.record, store.items):
        with pytest.raises(CorruptedError, match=f"found the record of cell '{key(0)}'; expected"):
            read(key(7))
    ((corrupted, _),) = store.corrupted()
    assert corrupted == key(7)


def test_the_record_always_holds_the_key(store: CellStore) -> None:
    store.write(KEY, {"key": "another", "score": 1}, [ITEM])
    assert store.record(KEY) == {"key": KEY, "score": 1}


def test_names_that_are_no_markers_are_no_cells(store: CellStore) -> None:
    write_cells(store, range(1))
    for name in ("notes.done", ".done", f"{KEY}.done.old", f".{KEY}.done", f"{'Z' * 64}.done"):
        (store.folder / name).write_text("{}")
    assert store.done() == {key(0)}


def test_a_cell_that_another_process_has_just_bundled_is_read(store: CellStore) -> None:
    write_cells(store, range(2))
    assert store.bundles.pack(key(0)) is None
    compact(store_in(store.folder.parent))
    assert store.record(key(0)) == record(0)
    assert store.items(key(1)).to_pylist() == rows(1)


def test_the_bundled_copy_is_read_whenever_the_own_one_is_corrupted(store: CellStore) -> None:
    """Also by a process that looked for bundles before there was one."""
    write_cells(store, range(1))
    own = {path: path.read_bytes() for path in store.folder.iterdir()}
    assert store.bundles.pack(key(0)) is None
    compact(store_in(store.folder.parent))
    for path, content in own.items():
        path.write_bytes(content[:-1])
    for reader in (store, store_in(store.folder.parent)):
        assert reader.record(key(0)) == record(0)
        assert reader.items(key(0)).to_pylist() == rows(0)


def test_a_removed_cell_leaves_no_file(store: CellStore) -> None:
    store.write(KEY, RECORD, [ITEM])
    store.remove(KEY)
    store.remove(KEY)
    assert list(store.folder.iterdir()) == []
