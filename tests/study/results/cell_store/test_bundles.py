"""Bundles: many finished cells in few files, of which intact cells can be recovered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from study.errors import StudyError
from study.results.cell_store import bundles as module
from study.results.cell_store.bundles import BundledCell, Bundles
from study.results.cell_store.store import CellStore
from study.results.schema import ITEMS


def cell(number: int, items: int = 2000) -> BundledCell:
    scores = np.random.default_rng(number).random(items)
    table = pa.table({"item": list(range(items)), "score": scores})
    return f"{number:064}", {"number": number}, table


def corrupt(path: Path, *, place: float = 0.3) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 16
    path.write_bytes(bytes(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle of six cells."""
    folder = tmp_path / "packs"
    assert Bundles(folder).write(map(cell, range(6))) == [f"{i:064}" for i in range(6)]
    return folder


def test_written_and_read(folder: Path) -> None:
    bundles = Bundles(folder)
    assert bundles.keys() == {f"{i:064}" for i in range(6)}
    for number in range(6):
        key, record, items = cell(number)
        assert key in bundles
        assert bundles.has(key)
        assert bundles.record(key) == record
        assert bundles.items(key).equals(items)
        assert bundles.items(key, ["score"]).column_names == ["score"]
    assert list(bundles.corrupted()) == []
    (name,) = bundles.names()
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.done",
        f"{name}.items.parquet",
        f"{name}.records.parquet",
    }


def test_an_unknown_cell(folder: Path, tmp_path: Path) -> None:
    for bundles in (Bundles(folder), Bundles(tmp_path / "nothing")):
        assert "1" * 64 not in bundles
        assert not bundles.has("1" * 64)
        with pytest.raises(KeyError):
            bundles.record("1" * 64)
        with pytest.raises(KeyError):
            bundles.items("1" * 64)


def test_a_bundle_of_another_process_is_seen_when_asked_for_what_is_there_now(
    folder: Path,
) -> None:
    bundles = Bundles(folder)
    key, record, _ = cell(9)
    assert key not in bundles
    Bundles(folder).write([cell(9)])
    assert key not in bundles, "the last scan"
    assert bundles.has(key)
    assert key in bundles
    assert bundles.record(key) == record
    assert len(bundles.names()) == 2


def test_a_bundle_without_its_marker_does_not_exist(folder: Path) -> None:
    (marker,) = folder.glob("*.done")
    marker.unlink()
    assert Bundles(folder).keys() == set()


def test_a_full_bundle_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 4000)
    bundles = Bundles(tmp_path)
    assert bundles.write(map(cell, range(5))) == [f"{i:064}" for i in range(5)]
    assert len(bundles.names()) == 3
    assert bundles.keys() == {f"{i:064}" for i in range(5)}
    assert bundles.items(cell(4)[0]).equals(cell(4)[2])
    assert bundles.write([]) == []
    assert len(bundles.names()) == 3


def test_of_a_corrupted_bundle_the_intact_cells_can_be_read(folder: Path) -> None:
    (name,) = Bundles(folder).names()
    corrupt(folder / f"{name}.items.parquet")
    bundles = Bundles(folder)
    assert list(bundles.corrupted()) == [name]
    intact: dict[str, Any] = {
        key: (record, items) for key, record, items in bundles.intact_cells(name)
    }
    assert 4 <= len(intact) < 6
    assert len(bundles.keys()) == 6
    for number in range(6):
        key, record, items = cell(number)
        if key in intact:
            assert intact[key][0] == record
            assert intact[key][1].equals(items)
        else:
            with pytest.raises(StudyError, match=r"found a corrupted file .* `study compact`"):
                bundles.items(key)


@pytest.mark.parametrize("part", ["items", "records"])
def test_of_a_bundle_cut_short_nothing_can_be_read(part: str, folder: Path) -> None:
    (name,) = Bundles(folder).names()
    path = folder / f"{name}.{part}.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    assert list(Bundles(folder).corrupted()) == [name]
    assert list(Bundles(folder).intact_cells(name)) == []
    store = CellStore(folder.parent / "cells", folder, ITEMS)
    with pytest.raises(StudyError, match="found a corrupted file"):
        store.items(cell(0)[0])


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_marker_without_digests_is_corrupted(content: str, folder: Path) -> None:
    (name,) = Bundles(folder).names()
    (folder / f"{name}.done").write_text(content)
    assert list(Bundles(folder).corrupted()) == [name]


def test_a_removed_bundle_is_gone_with_its_cells(folder: Path) -> None:
    bundles = Bundles(folder)
    (name,) = bundles.names()
    assert cell(0)[0] in bundles
    bundles.items(cell(0)[0])
    bundles.remove(name)
    assert list(folder.iterdir()) == []
    assert bundles.keys() == set()
    assert cell(0)[0] not in bundles
