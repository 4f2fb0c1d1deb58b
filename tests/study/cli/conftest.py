"""A copy of the finished small study, and a study of imported scores only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.finished_runs import copy_run, finished_run
from tests.study.exchange.score_files import write_imported_study


@pytest.fixture
def small_copy(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return copy_run(finished_run(tmp_path_factory, "small"), tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run folder of a study without pairs, arms and tasks."""
    return write_imported_study(tmp_path / "published")
