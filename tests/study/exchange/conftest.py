"""A run of imported scores only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.exchange.score_files import write_imported_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run folder of a study without pairs, arms and tasks."""
    return write_imported_study(tmp_path / "published")
