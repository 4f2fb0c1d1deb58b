"""Packed cells are the same cells; whatever happens while packing or to packs, none is lost."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from study.errors import StudyError
from study.results.cell_store.maintenance import compact, mend
from study.results.cell_store.store import Cells
from tests.conftest import SMALL, Study, command_environment, tables

NAMES = ("scores.csv", "correlations.csv", "agreement.csv", "reliability.csv")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("once")
    (run / "study.yaml").write_text(yaml.safe_dump({**SMALL, "draws": 1}))
    environment = command_environment(run / "attempts")
    subprocess.run(["study", "run", str(run)], env=environment, check=True, capture_output=True)
    return run


@pytest.fixture
def finished(once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once, tmp_path / "run"))


def test_packed_cells_are_the_same(finished: Path, study_command: Study) -> None:
    cells = Cells(finished)
    before, keys = tables(finished), cells.done()
    records = {key: cells.record(key) for key in keys}
    items = {key: cells.items(key) for key in keys}
    done = study_command("compact", finished)
    assert done.returncode == 0, done.stderr
    assert f"{len(keys)} cells packed" in done.stderr
    assert list((finished / "results" / "cells").iterdir()) == []
    assert len(list((finished / "results" / "packs").iterdir())) == 3
    packed = Cells(finished)
    assert packed.done() == keys
    for key in keys:
        assert packed.has(key)
        assert packed.record(key) == records[key]
        assert packed.items(key).equals(items[key])
        assert packed.items(key, ["item", "score"]).column_names == ["item", "score"]
    assert tables(finished) == before
    again = study_command("run", finished)
    assert again.returncode == 0
    assert ": 0 left" in again.stderr
    # A study that grows: new cells lie beside the pack, and are packed into another.
    study = finished / "study.yaml"
    study.write_text(study.read_text().replace("draws: 1", "draws: 2"))
    assert study_command("run", finished).returncode == 0
    assert len(Cells(finished).loose()) == 3 * 2
    grown = tables(finished)
    assert study_command("compact", finished).returncode == 0
    assert len(Cells(finished).packs.names()) == 2
    assert tables(finished) == grown


def test_killed_while_packing(finished: Path, tmp_path: Path) -> None:
    before, keys = tables(finished), Cells(finished).done()
    environment = command_environment(tmp_path / "attempts")
    for wait in (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2):
        process = subprocess.Popen(
            ["study", "compact", str(finished)], env=environment, stderr=subprocess.DEVNULL
        )
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert Cells(finished).done() == keys
    compact(finished)
    assert Cells(finished).loose() == set()
    assert tables(finished) == before


def test_of_a_damaged_pack_what_is_whole_is_kept(finished: Path, study_command: Study) -> None:
    before, keys = tables(finished), Cells(finished).done()
    compact(finished)
    (name,) = Cells(finished).packs.names()
    path = finished / "results" / "packs" / f"{name}.items.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(bytes(content))
    done = study_command("run", finished)
    assert done.returncode == 0, done.stderr
    (told,) = (line for line in done.stderr.splitlines() if line.startswith("damaged, and comp"))
    kept = int(told.split("damage; ")[1].split()[0])
    assert len(keys) - 2 <= kept < len(keys)
    assert f": {len(keys) - kept} left" in done.stderr
    assert Cells(finished).done() == keys
    assert tables(finished) == before


def test_a_pack_cut_short_is_computed_anew_and_a_damaged_cell_is_not_packed(
    finished: Path,
) -> None:
    keys = Cells(finished).done()
    damaged = Cells(finished).files(sorted(keys)[3])["parquet"]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-5])
    with pytest.raises(StudyError, match="another digest"):
        compact(finished)
    assert Cells(finished).done() == keys
    damaged.write_bytes(whole)
    compact(finished)
    (name,) = Cells(finished).packs.names()
    path = finished / "results" / "packs" / f"{name}.items.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StudyError, match="study compact"):
        Cells(finished).items(sorted(keys)[0])
    (told,) = mend(finished)
    assert "0 whole cells are kept" in told
    assert Cells(finished).done() == set()
