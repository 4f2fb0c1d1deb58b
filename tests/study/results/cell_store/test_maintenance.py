"""Bundled cells are the same cells; whatever happens during or to a compaction, none is lost."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.errors import StudyError
from study.results.cell_store import bundles as bundles_module
from study.results.cell_store.bundles import Bundles
from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.maintenance import compact, repair
from study.results.cell_store.pack import CellContent
from study.results.cell_store.store import CellStore
from study.results.run import Run
from tests.conftest import tables
from tests.in_process import evaluate, evaluate_all, plan
from tests.study.results.cell_store.cells import (
    cut,
    flip,
    key,
    record,
    rows,
    snapshot,
    store_in,
    write_cells,
)
from tests.study.results.cell_store.old_packs import write_old_pack

N_CELLS = 6
KEYS = {key(number) for number in range(N_CELLS)}


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    """A store with six cells."""
    store = store_in(tmp_path)
    write_cells(store, range(N_CELLS))
    return store


def reopened(store: CellStore) -> CellStore:
    """The store as another process sees it."""
    return store_in(store.folder.parent)


def pack_folder(store: CellStore) -> Path:
    """The folder of the one pack."""
    (path,) = store.bundles.folder.iterdir()
    return path


def aside(store: CellStore) -> Path:
    """The one folder of `results/corrupted`."""
    (path,) = (store.folder.parent / "corrupted").iterdir()
    return path


def check_cells(store: CellStore, keys: set[str]) -> None:
    """The store holds exactly these cells, and each is what was written."""
    store = reopened(store)
    assert store.done() == keys
    for number in range(N_CELLS):
        if key(number) in keys:
            assert store.record(key(number)) == record(number)
            assert store.items(key(number)).to_pylist() == rows(number)
    assert list(store.corrupted()) == list(store.bundles.corrupted()) == []


def test_bundled_cells_are_the_same(copied: Run) -> None:
    cells, before = copied.cells, tables(copied.folder)
    keys = cells.done()
    contents = {cell: (cells.record(cell), cells.items(cell)) for cell in keys}
    steps: list[None] = []
    assert compact(cells, on_cell=lambda: steps.append(None)) == len(keys) == len(steps)
    assert list((copied.results / "cells").iterdir()) == []
    assert len(list((copied.results / "packs").iterdir())) == 1
    bundled = Run.open(copied.folder).cells
    assert bundled.done() == keys
    for cell, (cell_record, cell_items) in contents.items():
        assert bundled.has(cell)
        assert bundled.record(cell) == cell_record
        assert bundled.items(cell).equals(cell_items)
        assert bundled.items(cell, ["item", "score"]).column_names == ["item", "score"]
    assert tables(copied.folder) == before
    planned = plan(copied.folder)
    assert planned.n_done == planned.plan.n_cells
    assert evaluate(copied.folder) == []
    # When the study grows, new cells are beside the bundle, and are gathered into another.
    study: dict[str, Any] = yaml.safe_load(copied.study.file.read_text())
    copied.study.file.write_text(yaml.safe_dump({**study, "draws": 3}))
    grown = evaluate_all(copied.folder)
    assert len(grown.cells.loose()) == 3 * 2
    tables_before = tables(copied.folder)
    assert compact(grown.cells) == 3 * 2
    assert len(list((copied.results / "packs").iterdir())) == 2
    assert tables(copied.folder) == tables_before


def test_a_second_compaction_moves_nothing(store: CellStore) -> None:
    assert compact(store) == N_CELLS
    assert compact(store) == 0
    pack_folder(store)
    check_cells(store, KEYS)


KILLS = """
import os, signal, sys, time
from pathlib import Path

from study.results.cell_store.maintenance import compact
from tests.study.results.cell_store.cells import store_in

def is_whole(store, key):
    return store.record(key)["key"] == key and store.items(key).num_rows == 20

results, keys = Path(sys.argv[1]), set(sys.argv[2:])
for moment in range(16):
    pid = os.fork()
    if pid == 0:
        compact(store_in(results), on_cell=lambda: time.sleep(0.004))
        os._exit(0)
    time.sleep(0.006 * moment)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        store = store_in(results)
        os._exit(store.done() != keys or not all(is_whole(store, key) for key in keys))
    assert os.waitpid(pid, 0)[1] == 0, moment
"""
"Compacts in child processes that are killed later and later; after each kill all cells are there."


def test_killed_during_compaction(store: CellStore) -> None:
    command = [sys.executable, "-c", KILLS, str(store.folder.parent), *KEYS]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == 0, killed.stderr
    compact(reopened(store))
    assert reopened(store).loose() == set()
    check_cells(store, KEYS)


@pytest.mark.parametrize("step", ["pack", "rename", "remove"])
def test_interrupted_at_each_step(
    step: str, store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the pack is written, before it has its name, and with cells in both places."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        owner, name = {
            "pack": (bundles_module, "write_pack"),
            "rename": (os, "replace"),
            "remove": (CellStore, "remove"),
        }[step]
        patched.setattr(owner, name, stop)
        with pytest.raises(KeyboardInterrupt):
            compact(store)
    assert reopened(store).loose() == KEYS
    check_cells(store, KEYS)
    compact(reopened(store))
    assert reopened(store).loose() == set()
    check_cells(store, KEYS)
    pack_folder(store)


def test_a_pack_is_on_the_disk_before_the_cells_own_files_are_removed(
    store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, fsync, remove = set(), os.fsync, CellStore.remove

    def recorded(descriptor: int) -> None:
        fsync(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    def checked(cells: CellStore, cell: str) -> None:
        pack = pack_folder(store)
        needed = [store.bundles.folder, pack, *pack.iterdir()]
        assert {path.stat().st_ino for path in needed} <= flushed
        remove(cells, cell)

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(CellStore, "remove", checked)
    compact(store)
    check_cells(store, KEYS)


def test_a_compaction_beside_another_moves_what_is_left(
    store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has gathered and removed every cell by the time this one reads them."""
    write = Bundles.write

    def late(bundles: Bundles, cells: Any) -> list[str]:
        monkeypatch.setattr(Bundles, "write", write)
        compact(reopened(store))
        return write(bundles, cells)

    monkeypatch.setattr(Bundles, "write", late)
    compact(store)
    check_cells(store, KEYS)


def test_a_cell_that_is_bundled_while_it_is_checked_is_not_corrupted(
    store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = CellStore.content

    def late(cells: CellStore, cell: str) -> CellContent:
        monkeypatch.setattr(CellStore, "content", content)
        compact(reopened(store))
        return content(cells, cell)

    monkeypatch.setattr(CellStore, "content", late)
    assert repair(store) == []
    check_cells(store, KEYS)


def test_a_cells_own_files_are_kept_while_the_bundled_copy_is_corrupted(store: CellStore) -> None:
    """A compaction was interrupted before it removed them, and then the pack was corrupted."""
    copy = store.folder.with_name("copy")
    shutil.copytree(store.folder, copy)
    compact(store)
    shutil.copytree(copy, store.folder, dirs_exist_ok=True)
    path = pack_folder(store) / "cells"
    flip(path, len(path.read_bytes()) - 100)
    with pytest.raises(CorruptedError):
        compact(reopened(store))
    assert reopened(store).loose() == KEYS
    (message,) = repair(reopened(store))
    assert "Recovered 5 intact cells" in message
    compact(reopened(store))
    check_cells(store, KEYS)


def test_a_corrupted_cell_is_not_bundled(store: CellStore) -> None:
    corrupted = store.files(key(3))["parquet"]
    intact = corrupted.read_bytes()
    corrupted.write_bytes(intact[:-5])
    before = snapshot(store.folder.parent)
    with pytest.raises(CorruptedError, match="another digest"):
        compact(store)
    after = snapshot(store.folder.parent)
    assert {**after, "packs": ""} == {**before, "packs": ""}
    corrupted.write_bytes(intact)
    assert compact(reopened(store)) == N_CELLS


def test_of_a_corrupted_pack_the_intact_cells_are_kept(store: CellStore) -> None:
    compact(store)
    path = pack_folder(store)
    size = len((path / "cells").read_bytes())
    cut(path / "cells", size - 10)
    before = snapshot(path)
    (message,) = repair(reopened(store))
    moved = aside(store) / path.name
    assert message == (
        f"{path}/cells: {size - 10} bytes with another digest than when they were written. "
        f"Recovered 5 intact cells; moved to {moved.parent}"
    )
    assert snapshot(moved) == before
    check_cells(store, KEYS - {key(N_CELLS - 1)})
    assert repair(reopened(store)) == []


@pytest.mark.parametrize("name", ["index.jsonl", "records.jsonl", "digests.json"])
def test_of_a_pack_without_one_of_its_other_files_every_cell_is_kept(
    name: str, store: CellStore
) -> None:
    compact(store)
    (pack_folder(store) / name).unlink()
    (message,) = repair(reopened(store))
    assert f"{name}: no such file. Recovered {N_CELLS} intact cells" in message
    check_cells(store, KEYS)


def test_of_a_corrupted_pack_of_an_earlier_version_the_intact_cells_are_kept(
    store: CellStore,
) -> None:
    contents = [store.content(key(number)) for number in range(N_CELLS)]
    write_old_pack(store.bundles.folder, "a" * 16, contents)
    shutil.rmtree(store.folder)
    check_cells(store, KEYS)
    path = store.bundles.folder / f"{'a' * 16}.items.parquet"
    flip(path, len(path.read_bytes()) // 3, bit=4)
    (message,) = repair(reopened(store))
    n_intact = int(message.split("Recovered ")[1].split()[0])
    assert N_CELLS - 2 <= n_intact < N_CELLS
    assert len(list(aside(store).iterdir())) == 3
    remaining = reopened(store).done()
    assert len(remaining) == n_intact
    check_cells(store, remaining)


def test_corrupted_cells_are_moved_aside_and_recomputed(copied: Run) -> None:
    before, cells = tables(copied.folder), copied.cells
    keys = cells.done()
    first, second, third, fourth = sorted(keys)[:4]
    shortened = cells.files(first)["parquet"]
    cut(shortened, len(shortened.read_bytes()) - 9)
    flip(cells.files(second)["json"], 40, bit=2)
    cells.files(third)["parquet"].unlink()
    path = cells.folder / f"{fourth}.done"
    path.write_text("{")
    content = {path.name: path.read_bytes() for path in cells.folder.iterdir()}
    messages = repair(cells)
    assert len(messages) == 4
    assert all(cell in message for cell, message in zip(sorted(keys), messages, strict=False))
    assert all(str(aside(cells)) in message for message in messages)
    assert [message.count("Recovered the cell") for message in messages] == [0, 0, 0, 1]
    for path in aside(cells).iterdir():
        assert path.read_bytes() == content[path.name]
    assert len(list(aside(cells).iterdir())) == 3 + 3 + 2 + 3
    assert repair(cells) == []
    assert cells.done() == keys - {first, second, third}
    planned = plan(copied.folder)
    assert planned.plan.n_cells - planned.n_done == 3
    assert evaluate_all(copied.folder).cells.done() == keys
    assert tables(copied.folder) == before


def loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, os.mkfifo, loop])
def test_a_cell_whose_marker_is_none_is_recovered_from_its_files(
    make: Callable[[Path], object], store: CellStore
) -> None:
    marker = store.folder / f"{key(2)}.done"
    marker.unlink()
    make(marker)
    (message,) = repair(reopened(store))
    assert message.startswith(f"{marker}: ")
    assert "Recovered the cell; moved to" in message
    assert os.path.lexists(aside(store) / marker.name)
    check_cells(store, KEYS)


def test_a_renamed_cell_is_moved_aside_and_stays_readable_there(store: CellStore) -> None:
    for path in [store.folder / f"{key(0)}.done", *store.files(key(0)).values()]:
        path.rename(path.with_name(path.name.replace(key(0), key(9))))
    (message,) = repair(reopened(store))
    assert f"json: the record of cell '{key(0)}'. Moved to" in message
    assert len(list(aside(store).iterdir())) == 3
    check_cells(store, KEYS - {key(0)})


def test_what_was_moved_aside_before_stays(store: CellStore) -> None:
    for _ in range(3):
        cut(store.files(key(0))["json"], 5)
        (message,) = repair(reopened(store))
        assert "Moved to" in message
        write_cells(store, range(1))
    folders = list((store.folder.parent / "corrupted").iterdir())
    assert len(folders) == 3
    assert all(len(list(folder.iterdir())) == 3 for folder in folders)
    check_cells(store, KEYS)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ESTALE, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("bundled", [False, True])
def test_a_file_that_cannot_be_read_is_not_corrupted(
    bundled: bool, code: int, store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands stop with the cause, and not a byte is moved."""
    if bundled:
        compact(store)
    before, real = snapshot(store.folder.parent), os.open

    def failing(path: Any, *arguments: Any, **options: Any) -> int:
        if re.search(r"\.parquet$|/cells$", str(path)) and not Path(path).is_dir():
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", failing)
        for command in (repair, compact, lambda cells: cells.items(key(0))):
            if command is compact and bundled:
                continue
            with pytest.raises(StudyError, match=f"found {os.strerror(code)}; .* Nothing was") as e:
                command(reopened(store))
            assert not isinstance(e.value, CorruptedError)
    assert snapshot(store.folder.parent) == before
    check_cells(store, KEYS)


@pytest.mark.parametrize("name", ["cells", "packs"])
def test_a_folder_that_cannot_be_listed_is_not_empty(
    name: str, store: CellStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every cell would be computed again."""
    real = os.listdir

    def failing(path: Path) -> list[str]:
        if path.name == name:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", failing)
    for command in (repair, compact, lambda cells: cells.done()):
        with pytest.raises(StudyError, match=f"{name}: found Permission denied"):
            command(reopened(store))


@pytest.mark.parametrize("bundled", [False, True])
def test_a_disk_that_fails_while_it_is_read_is_not_corruption(
    bundled: bool, store: CellStore
) -> None:
    """Reading this memory fails with an input/output error."""
    if bundled:
        compact(store)
    path = pack_folder(store) / "cells" if bundled else store.files(key(0))["parquet"]
    path.unlink()
    path.symlink_to("/proc/self/mem")
    for command in (repair, lambda cells: cells.items(key(0))):
        with pytest.raises(StudyError, match="found Input/output error") as error:
            command(reopened(store))
        assert not isinstance(error.value, CorruptedError)
    assert path.is_symlink()
    assert reopened(store).done() == KEYS


FEW_FILES = """
import os, resource, sys
from pathlib import Path

import pyarrow.parquet
from study.errors import StudyError
from study.results.cell_store.corruption import CorruptedError
from tests.study.results.cell_store.cells import key, store_in

store = store_in(Path(sys.argv[1]))
assert store.bundles.has(key(0))
open_files = len(os.listdir("/proc/self/fd")) - 1
resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
try:
    store.items(key(0))
except CorruptedError as error:
    sys.exit(f"corrupted: {error}")
except StudyError as error:
    sys.exit(0 if "Too many open files" in str(error) else str(error))
"""


@pytest.mark.parametrize("earlier", [False, True])
def test_too_many_open_files_are_not_corruption(earlier: bool, store: CellStore) -> None:
    if earlier:
        write_old_pack(store.bundles.folder, "a" * 16, [store.content(key(0))])
    else:
        compact(store)
    command = [sys.executable, "-c", FEW_FILES, str(store.folder.parent)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
