"""Bundled cells are the same cells; whatever happens during or to a compaction, none is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from study.errors import StudyError
from study.results.cell_store.bundles import _NewBundle
from study.results.cell_store.maintenance import compact, repair
from study.results.cell_store.store import CellStore
from study.results.run import Run
from tests.conftest import tables
from tests.in_process import evaluate, evaluate_all, plan


def test_bundled_cells_are_the_same(copied: Run) -> None:
    cells, before = copied.cells, tables(copied.folder)
    keys = cells.done()
    records = {key: cells.record(key) for key in keys}
    items = {key: cells.items(key) for key in keys}
    steps: list[None] = []
    assert compact(cells, on_cell=lambda: steps.append(None)) == len(keys) == len(steps)
    assert list((copied.results / "cells").iterdir()) == []
    assert len(list((copied.results / "packs").iterdir())) == 3
    bundled = Run.open(copied.folder).cells
    assert bundled.done() == keys
    for key in keys:
        assert bundled.has(key)
        assert bundled.record(key) == records[key]
        assert bundled.items(key).equals(items[key])
        assert bundled.items(key, ["item", "score"]).column_names == ["item", "score"]
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
    assert len(Run.open(copied.folder).cells.bundles.names()) == 2
    assert tables(copied.folder) == tables_before


def test_a_second_compaction_moves_nothing(copied: Run) -> None:
    compact(copied.cells)
    assert compact(copied.cells) == 0
    assert len(copied.cells.bundles.names()) == 1


KILLS = """
import os, signal, sys, time
from pathlib import Path

from study.results.cell_store.maintenance import compact
from study.results.cell_store.store import CellStore
from study.results.schema import ITEMS

results, keys = Path(sys.argv[1]), set(sys.argv[2:])
def store():
    return CellStore(results / "cells", results / "packs", ITEMS)
for moment in range(16):
    pid = os.fork()
    if pid == 0:
        compact(store(), on_cell=lambda: time.sleep(0.001))
        os._exit(0)
    time.sleep(0.006 * moment)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        os._exit(store().done() != keys)
    assert os.waitpid(pid, 0)[1] == 0, moment
"""
"Compacts in child processes that are killed later and later; after each kill all cells are done."


def test_killed_during_compaction(copied: Run) -> None:
    before, keys = tables(copied.folder), copied.cells.done()
    command = [sys.executable, "-c", KILLS, str(copied.results), *keys]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == 0, killed.stderr
    compact(Run.open(copied.folder).cells)
    assert Run.open(copied.folder).cells.loose() == set()
    assert tables(copied.folder) == before


@pytest.mark.parametrize("step", ["add", "commit", "remove"])
def test_interrupted_at_each_step(step: str, copied: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the bundle, before its marker, and with cells in both places."""
    keys = copied.cells.done()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        owner: type = CellStore if step == "remove" else _NewBundle
        patched.setattr(owner, step, stop)
        with pytest.raises(KeyboardInterrupt):
            compact(copied.cells)
    cells = Run.open(copied.folder).cells
    assert cells.done() == keys
    assert cells.loose() == keys
    compact(cells)
    assert Run.open(copied.folder).cells.loose() == set()
    assert Run.open(copied.folder).cells.done() == keys
    assert len(cells.bundles.names()) == 1


def test_of_a_corrupted_bundle_the_intact_cells_are_kept(copied: Run) -> None:
    before, keys = tables(copied.folder), copied.cells.done()
    compact(copied.cells)
    (name,) = copied.cells.bundles.names()
    path = copied.results / "packs" / f"{name}.items.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(bytes(content))
    (message,) = repair(Run.open(copied.folder).cells)
    intact = int(message.split("kept its ")[1].split()[0])
    assert message.startswith(f"{copied.results / 'packs' / name}: corrupted bundle; kept its ")
    assert len(keys) - 2 <= intact < len(keys)
    planned = plan(copied.folder)
    assert planned.plan.n_cells - planned.n_done == len(keys) - intact
    assert evaluate_all(copied.folder).cells.done() == keys
    assert tables(copied.folder) == before


def test_a_corrupted_cell_is_not_bundled(copied: Run) -> None:
    keys = copied.cells.done()
    corrupted = copied.cells.files(sorted(keys)[3])["parquet"]
    intact = corrupted.read_bytes()
    corrupted.write_bytes(intact[:-5])
    with pytest.raises(StudyError, match="another digest"):
        compact(copied.cells)
    assert Run.open(copied.folder).cells.done() == keys
    corrupted.write_bytes(intact)
    assert compact(Run.open(copied.folder).cells) == len(keys)


def test_a_bundle_cut_short_is_recomputed(copied: Run) -> None:
    keys = copied.cells.done()
    compact(copied.cells)
    (name,) = copied.cells.bundles.names()
    path = copied.results / "packs" / f"{name}.items.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    cells = Run.open(copied.folder).cells
    with pytest.raises(StudyError, match="study compact"):
        cells.items(min(keys))
    (message,) = repair(cells)
    assert "kept its 0 intact cells" in message
    assert Run.open(copied.folder).cells.done() == set()


def test_corrupted_cells_are_deleted_and_recomputed(copied: Run) -> None:
    before, cells = tables(copied.folder), copied.cells
    keys = cells.done()
    first, second, third, fourth = sorted(keys)[:4]
    shortened = cells.files(first)["parquet"]
    shortened.write_bytes(shortened.read_bytes()[:-9])
    flipped = bytearray(cells.files(second)["json"].read_bytes())
    flipped[40] ^= 4
    cells.files(second)["json"].write_bytes(bytes(flipped))
    cells.files(third)["parquet"].unlink()
    (cells.folder / f"{fourth}.done").write_text("{")
    messages = repair(cells)
    assert len(messages) == 4
    assert all(key in message for key, message in zip(sorted(keys), messages, strict=False))
    assert repair(cells) == []
    assert cells.done() == keys - {first, second, third, fourth}
    planned = plan(copied.folder)
    assert planned.plan.n_cells - planned.n_done == 4
    assert evaluate_all(copied.folder).cells.done() == keys
    assert tables(copied.folder) == before
