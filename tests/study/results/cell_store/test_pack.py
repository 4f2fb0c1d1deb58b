"""A pack holds each cell byte for byte, and whatever becomes of a part of it, every cell whose
bytes are intact is recovered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.pack import PARTS, CellContent, Pack, write_pack
from tests.study.results.cell_store.cells import (
    cut,
    flip,
    key,
    record,
    rows,
    store_in,
    write_cells,
)

N_CELLS = 7
FAULTS = 80


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[CellContent]:
    """The files of a few cells as the store writes them."""
    store = store_in(tmp_path_factory.mktemp("cells"))
    write_cells(store, range(N_CELLS))
    return [store.content(key(number)) for number in range(N_CELLS)]


@pytest.fixture
def pack(contents: list[CellContent], tmp_path: Path) -> Pack:
    assert write_pack(tmp_path / "pack", contents) == [key(number) for number in range(N_CELLS)]
    return Pack(tmp_path / "pack")


def recovered(pack: Pack) -> dict[str, CellContent]:
    """What can be recovered from the pack as it is now."""
    cells = list(Pack(pack.folder).intact_cells())
    assert len(cells) == len({cell.key for cell in cells})
    return {cell.key: cell for cell in cells}


def positions(pack: Pack) -> dict[str, tuple[range, range]]:
    """Where record and items of each cell are in `cells`."""
    found = {}
    for line in (pack.folder / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        start = entry["offset"] + entry["record_length"]
        found[entry["key"]] = (
            range(entry["offset"], start),
            range(start, start + entry["items_length"]),
        )
    return found


def test_written_and_read(pack: Pack, contents: list[CellContent]) -> None:
    pack.check()
    assert list(pack.keys) == [key(number) for number in range(N_CELLS)]
    for number in range(N_CELLS):
        assert pack.record(key(number)) == record(number)
        assert pack.items(key(number), None).to_pylist() == rows(number)
        columns = pack.items(key(number), ["logprobs", "item"])
        assert columns.column_names == ["logprobs", "item"]
    assert recovered(pack) == {cell.key: cell for cell in contents}
    together = b"".join(cell.record + cell.items for cell in contents)
    assert (pack.folder / "cells").read_bytes() == together
    with pytest.raises(KeyError):
        pack.record(key(99))


@pytest.mark.parametrize("wrong_key", [key(0), "0" * 63, ""])
def test_cells_that_it_would_not_give_back_are_not_committed(
    wrong_key: str, contents: list[CellContent], tmp_path: Path
) -> None:
    """Two under one key, and a key that is none."""
    store = store_in(tmp_path)
    cells = [contents[0], contents[1]._replace(key=wrong_key)]
    with pytest.raises((AssertionError, CorruptedError)):
        store.bundles.write(cells)
    assert list(store.bundles.folder.iterdir()) == []
    assert store.done() == set()


@pytest.mark.parametrize("name", [*PARTS, "digests.json"])
def test_whatever_becomes_of_one_file_every_intact_cell_is_recovered(
    name: str, pack: Pack, contents: list[CellContent]
) -> None:
    """At random places of each file: a flipped bit, a cut tail, an overwritten region, a removed
    region. What the pack serves meanwhile is right or an error."""
    random, path = Random(name), pack.folder / name
    intact, original = {cell.key: cell for cell in contents}, path.read_bytes()
    where = positions(pack)
    for _ in range(FAULTS):
        start = random.randrange(len(original))
        length = random.choice([1, 1, 40, 4000])
        changed = random.choice(
            [
                original[:start]
                + bytes([original[start] ^ (1 << random.randrange(8))])
                + original[start + 1 :],
                original[:start],
                original[:start] + random.randbytes(length) + original[start + length :],
                original[:start] + original[start + length :],
            ]
        )
        if changed == original:
            continue
        path.write_bytes(changed)
        expected = set(intact)
        if name == "cells":
            expected = {
                key
                for key, (_, items) in where.items()
                if changed[items.start : items.stop] == original[items.start : items.stop]
            }
        assert recovered(pack) == {key: intact[key] for key in expected}
        with pytest.raises(CorruptedError):
            Pack(pack.folder).check()
        for number in range(N_CELLS):
            try:
                assert Pack(pack.folder).record(key(number)) == record(number)
                assert Pack(pack.folder).items(key(number), None).to_pylist() == rows(number)
            except CorruptedError:
                pass
    path.unlink()
    assert set(recovered(pack)) == (set() if name == "cells" else set(intact))
    path.write_bytes(original)
    pack.check()


def test_a_bit_in_a_record_costs_nothing_and_one_in_items_costs_one_cell(
    pack: Pack, contents: list[CellContent]
) -> None:
    record_at, items_at = positions(pack)[key(3)]
    flip(pack.folder / "cells", record_at[5])
    assert recovered(pack) == {cell.key: cell for cell in contents}
    with pytest.raises(CorruptedError, match=r"cells: found .* another digest"):
        Pack(pack.folder).record(key(3))
    with pytest.raises(CorruptedError, match=r"cells: found .* another digest"):
        Pack(pack.folder).items(key(3), ["item"])
    assert Pack(pack.folder).record(key(2)) == record(2)
    flip(pack.folder / "cells", items_at[-1])
    assert recovered(pack).keys() == {cell.key for cell in contents} - {key(3)}
    with pytest.raises(CorruptedError):
        Pack(pack.folder).items(key(3), None)


def test_both_copies_of_the_index_may_be_corrupted_in_different_places(
    pack: Pack, contents: list[CellContent]
) -> None:
    index, records = pack.folder / "index.jsonl", pack.folder / "records.jsonl"
    cut(index, index.read_bytes().index(key(4).encode()))
    flip(records, records.read_bytes().index(key(1).encode()) + 5)
    (pack.folder / "digests.json").unlink()
    assert recovered(pack) == {cell.key: cell for cell in contents}


Change = Callable[[dict[str, object]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(key=key(5)),
        lambda entry: entry.update(offset=True),
        lambda entry: entry.update(offset=-1),
        lambda entry: entry.update(offset=2**63),
        lambda entry: entry.update(offset="0"),
        lambda entry: entry.update(record_length=10**9),
        lambda entry: entry.update(items_length=0.5),
        lambda entry: entry.update(items_sha256="../../etc/passwd"),
        lambda entry: entry.pop("record_sha256"),
    ],
)
def test_a_line_that_says_something_else_recovers_nothing(change: Change, pack: Pack) -> None:
    """A line for another key, in particular: a cell is accepted under its own key only."""
    (pack.folder / "records.jsonl").unlink()
    path = pack.folder / "index.jsonl"
    lines = path.read_text().splitlines()
    entry = json.loads(lines[0])
    change(entry)
    path.write_text(json.dumps(entry) + "\n[]\n" + "[" * 10_000 + "\nnull\n")
    assert recovered(pack) == {}


def test_a_consistent_pack_serves_no_cell_under_another_key(
    contents: list[CellContent], tmp_path: Path
) -> None:
    """Even if all digests are right: the record says whose it is."""
    write_pack(tmp_path / "pack", [contents[0]._replace(key=key(9))])
    pack = Pack(tmp_path / "pack")
    pack.check()
    with pytest.raises(CorruptedError, match=f"found the record of cell '{key(0)}'; expected that"):
        pack.record(key(9))
    with pytest.raises(CorruptedError, match="found the record of cell"):
        pack.items(key(9), None)
    assert recovered(pack) == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 7}', '{"cells": "../x"}'])
def test_digests_that_are_none_are_corruption(content: str, pack: Pack) -> None:
    (pack.folder / "digests.json").write_text(content)
    with pytest.raises(CorruptedError, match=r"digests\.json: found no "):
        list(Pack(pack.folder).keys)
