"""A copy of the finished small study."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.finished_runs import copy_run, finished_run


@pytest.fixture
def small_copy(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return copy_run(finished_run(tmp_path_factory, "small"), tmp_path)
