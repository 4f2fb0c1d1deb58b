"""Packs of earlier versions: read, checked, and recovered as far as their checksums tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.old_pack import OldPack
from study.results.cell_store.store import CellStore
from tests.study.results.cell_store.cells import (
    cut,
    flip,
    key,
    record,
    rows,
    store_in,
    write_cells,
)
from tests.study.results.cell_store.old_packs import write_old_pack

NAME = "00112233445566ff"


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    """A store with six cells in a pack of the old format."""
    other = store_in(tmp_path / "other")
    write_cells(other, range(6))
    store = store_in(tmp_path / "results")
    contents = [other.content(key(number)) for number in range(6)]
    write_old_pack(store.bundles.folder, NAME, contents)
    return store


def test_it_is_read_as_before(store: CellStore) -> None:
    assert store.done() == {key(number) for number in range(6)}
    for number in range(6):
        assert store.record(key(number)) == record(number)
        assert store.items(key(number)).to_pylist() == rows(number)
        assert store.items(key(number), ["logprobs"]).column_names == ["logprobs"]
    assert list(store.bundles.corrupted()) == []
    (pack,) = {store.bundles.pack(key(number)) for number in range(6)}
    assert isinstance(pack, OldPack)


def test_of_a_corrupted_one_the_intact_cells_can_be_read(store: CellStore) -> None:
    path = store.bundles.folder / f"{NAME}.items.parquet"
    flip(path, len(path.read_bytes()) // 3, bit=4)
    ((pack, error),) = store.bundles.corrupted()
    assert "another digest" in str(error)
    intact = {cell.key for cell in pack.intact_cells()}
    assert 4 <= len(intact) < 6
    for number in range(6):
        if key(number) in intact:
            assert store.items(key(number)).to_pylist() == rows(number)
        else:
            with pytest.raises(CorruptedError, match=r"items\.parquet: found no pack"):
                store.items(key(number))


@pytest.mark.parametrize("part", ["items", "records"])
def test_of_one_cut_short_nothing_can_be_read(part: str, store: CellStore) -> None:
    path = store.bundles.folder / f"{NAME}.{part}.parquet"
    cut(path, len(path.read_bytes()) - 50)
    ((pack, _),) = store.bundles.corrupted()
    assert list(pack.intact_cells()) == []
    with pytest.raises(CorruptedError, match=f"{part}.parquet: found no pack"):
        store.items(key(0))


@pytest.mark.parametrize("content", ["{", "{}", '{"items": "../x", "records": 1}'])
def test_a_marker_without_digests_is_corrupted(content: str, store: CellStore) -> None:
    (store.bundles.folder / f"{NAME}.done").write_text(content)
    ((pack, _),) = store.bundles.corrupted()
    assert len(list(pack.intact_cells())) == 6


def test_a_cell_is_not_served_under_another_key(store: CellStore, tmp_path: Path) -> None:
    content = store_in(tmp_path / "other").content(key(0))
    folder = tmp_path / "renamed"
    write_old_pack(folder, NAME, [content._replace(key=key(8))])
    pack = OldPack(folder, NAME)
    for read in (pack.record, lambda key: pack.items(key, None)):
        with pytest.raises(CorruptedError, match="found the record of cell"):
            read(key(8))
    assert list(pack.intact_cells()) == []


def test_a_cell_without_items_is_a_cell(tmp_path: Path) -> None:
    other = store_in(tmp_path / "other")
    other.write(key(0), record(0), [])
    write_cells(other, range(1, 2))
    write_old_pack(tmp_path / "packs", NAME, [other.content(key(i)) for i in range(2)])
    pack = OldPack(tmp_path / "packs", NAME)
    assert pack.items(key(0), None).num_rows == 0
    assert len(list(pack.intact_cells())) == 2


def test_items_of_another_cell_are_not_served(tmp_path: Path) -> None:
    """The records of two cells point to each other's items."""
    other = store_in(tmp_path / "other")
    write_cells(other, range(2))
    first, second = (other.content(key(i)) for i in range(2))
    folder = tmp_path / "packs"
    write_old_pack(folder, NAME, [first, second])
    write_old_pack(tmp_path / "exchanged", NAME, [second, first])
    name = f"{NAME}.items.parquet"
    (tmp_path / "exchanged" / name).replace(folder / name)
    pack = OldPack(folder, NAME)
    assert pack.record(key(0)) == record(0)
    for columns in (None, ["item"]):
        with pytest.raises(CorruptedError, match="found another cell's items"):
            pack.items(key(0), columns)
    assert list(pack.intact_cells()) == []
