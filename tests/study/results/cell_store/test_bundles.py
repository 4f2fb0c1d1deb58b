"""Bundles: the packs of a run, of both formats, seen as they are now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.cell_store import bundles as module
from study.results.cell_store.bundles import Bundles
from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.pack import CellContent
from tests.study.results.cell_store.cells import key, store_in, write_cells
from tests.study.results.cell_store.old_packs import write_old_pack


@pytest.fixture
def contents(tmp_path: Path) -> list[CellContent]:
    store = store_in(tmp_path / "other")
    write_cells(store, range(6))
    return [store.content(key(number)) for number in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "packs"


def test_without_a_folder_there_is_no_bundle(folder: Path) -> None:
    bundles = Bundles(folder)
    assert bundles.keys() == set()
    assert bundles.pack(key(0)) is None
    assert not bundles.has(key(0))
    assert bundles.write([]) == []
    assert not folder.exists()


def test_packs_of_both_formats_are_beside_each_other(
    folder: Path, contents: list[CellContent]
) -> None:
    write_old_pack(folder, "0" * 16, contents[:2])
    bundles = Bundles(folder)
    assert bundles.write(contents[2:]) == [key(number) for number in range(2, 6)]
    assert bundles.keys() == {key(number) for number in range(6)}
    assert bundles.pack(key(1)) is not bundles.pack(key(2)) is bundles.pack(key(3))
    assert list(bundles.corrupted()) == []


def test_a_pack_of_another_process_is_seen_when_asked_for_what_is_there_now(
    folder: Path, contents: list[CellContent]
) -> None:
    bundles = Bundles(folder)
    assert bundles.pack(key(0)) is None
    Bundles(folder).write(contents[:1])
    assert bundles.pack(key(0)) is None, "the last scan"
    assert bundles.has(key(0))
    pack = bundles.pack(key(0))
    assert pack is not None
    pack.paths[0].rename(folder.parent / "elsewhere")
    assert not bundles.has(key(0))
    assert bundles.pack(key(0)) is None


def test_a_full_pack_is_followed_by_another(
    folder: Path, contents: list[CellContent], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(contents[0].record) + len(contents[0].items)
    monkeypatch.setattr(module, "MAX_BYTES", int(1.5 * size))
    bundles = Bundles(folder)
    assert bundles.write(contents[:5]) == [key(number) for number in range(5)]
    assert len(list(folder.iterdir())) == 3
    assert bundles.keys() == {key(number) for number in range(5)}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, StudyError])
def test_a_pack_that_is_not_finished_does_not_exist(
    stop: type[BaseException], folder: Path, contents: list[CellContent]
) -> None:
    def interrupted() -> Iterator[CellContent]:
        yield contents[0]
        (part,) = folder.iterdir()
        assert part.name.startswith(".")
        assert Bundles(folder).keys() == set()
        raise (
            KeyboardInterrupt
            if stop is KeyboardInterrupt
            else StudyError("x", found=1, expected="")
        )

    with pytest.raises(stop):
        Bundles(folder).write(interrupted())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("is_folder", [True, False])
def test_something_else_in_the_place_of_a_pack_is_corruption(
    is_folder: bool, folder: Path, contents: list[CellContent]
) -> None:
    Bundles(folder).write(contents)
    path = folder / ("f" * 16)
    path.mkdir() if is_folder else path.touch()
    ((pack, error),) = Bundles(folder).corrupted()
    assert pack.paths == [path]
    assert str(error).startswith(f"{path}/digests.json: found no such file")
    with pytest.raises(CorruptedError):
        Bundles(folder).keys()
