"""A run folder is opened once: every file is read when it is first needed, and once."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.run import Run
from tests.conftest import MakeRun


def test_paths_are_inside_the_folder(make_run: MakeRun) -> None:
    folder = make_run()
    run = Run.open(str(folder))
    assert run.folder == folder
    assert run.study.file == folder / "study.yaml"
    assert run.results == folder / "results"
    assert run.ledger_file == folder / "results" / "plan.json"
    assert run.lock_file == folder / "study.lock.json"


def test_a_new_run_is_empty_and_nothing_is_written(make_run: MakeRun) -> None:
    run = Run.open(make_run())
    assert run.cells.done() == set()
    assert run.imports == ()
    assert not run.lock.models
    assert not run.lock.tasks
    assert run.lock_digest is None
    with pytest.raises(StudyError, match=r"found no results; .* Run `study run .*run` first"):
        _ = run.ledger
    assert [path.name for path in run.folder.iterdir()] == ["study.yaml"]


def test_a_folder_without_a_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no study\.yaml"):
        Run.open(tmp_path)


def test_files_are_read_once_until_they_are_reloaded(copied: Run) -> None:
    ledger, lock, imports = copied.ledger, copied.lock, copied.imports
    copied.ledger_file.write_text("{")
    copied.lock_file.write_text("{")
    assert copied.ledger is ledger
    assert copied.lock is lock
    assert copied.imports is imports
    assert copied.lock_digest == hashlib.sha256(b"{").hexdigest()
    cells = copied.cells
    copied.reload()
    assert copied.cells is cells
    with pytest.raises(StudyError, match=r"plan\.json: found not JSON"):
        _ = copied.ledger
    with pytest.raises(StudyError, match=r"study\.lock\.json: found no lock"):
        _ = copied.lock


def test_a_pickled_run_is_its_study_and_its_copy_reads_files_for_itself(copied: Run) -> None:
    keys, ledger = copied.cells.done(), copied.ledger
    content = pickle.dumps(copied)
    assert len(content) < 10_000, "nothing that was read of results is pickled"
    copied.cells.remove(min(keys))
    other: Run = pickle.loads(content)
    assert other.folder == copied.folder
    assert other.study == copied.study
    assert other.study.file == copied.study.file
    assert other.cells is not copied.cells
    assert other.cells.done() == keys - {min(keys)}
    assert other.ledger == ledger
    assert other.ledger is not ledger
