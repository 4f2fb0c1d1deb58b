"""Every kind of corrupted file in a results folder has its one clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.pipeline import analyze_run
from study.errors import StudyError
from study.results.run import Run
from tests.conftest import MakeRun, tables


def test_each_corrupted_file_is_named(copied: Run, make_run: MakeRun) -> None:
    key = min(copied.cells.done())

    def check_error(path: Path, content: bytes | None, words: str) -> None:
        """The error of the analysis while a file has another content, or does not exist."""
        before = path.read_bytes()
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(StudyError, match=words):
            analyze_run(Run.open(copied.folder))
        path.write_bytes(before)

    files = copied.cells.files(key)
    items = files["parquet"].read_bytes()
    flipped = bytes([items[0] ^ 1]) + items[1:]
    check_error(files["parquet"], items[:-7], r"\.parquet: found .* another digest")
    check_error(files["parquet"], flipped, r"\.parquet: found .* another digest")
    check_error(files["parquet"], None, r"\.parquet: found no such file")
    check_error(files["json"], b"{}", r"\.json: found 2 bytes with another digest")
    check_error(files["json"], None, r"\.json: found no such file")
    check_error(copied.cells.folder / f"{key}.done", b"", f"{key}.done: found no object")
    ledger = copied.ledger_file
    check_error(ledger, b"{", "plan.json: found not JSON")
    check_error(ledger, json.dumps({"version": 99}).encode(), "plan.json: version: found 99")
    check_error(ledger, None, "found no results")
    study = copied.study.file
    changed = study.read_text().replace("limit: 12", "limit: 3").encode()
    check_error(study, changed, "a study that has changed since it was last run")
    assert tables(copied.folder), "no file is corrupted any more"
    with pytest.raises(StudyError, match="found no results"):
        analyze_run(Run.open(make_run("never-run")))
