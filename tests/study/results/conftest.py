"""A finished run of the small study, shared by these tests, and copies to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.results.run import Run
from tests.finished_runs import copy_run, finished_run


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished run; not to be changed."""
    return Run.open(finished_run(tmp_path_factory, "small"))


@pytest.fixture
def copied(small: Run, tmp_path: Path) -> Run:
    """A copy of the finished run."""
    return Run.open(copy_run(small.folder, tmp_path))
