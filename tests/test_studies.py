"""The studies of tuning: their small versions run to the end, and their notebooks read the tables
of these and those that are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.studies import check_notebook, check_tables

NOTEBOOKS = {"limits": "04_limits", "loss": "05_loss", "indicator": "06_indicator"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the project's root, with the notebooks and no results."""
    made = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOT / "notebooks", made / "notebooks")
    (made / "docs").symlink_to(ROOT / "docs")
    (made / "runs").mkdir()
    return made


def execute(name: str, root: Path) -> None:
    os.environ["PYTHONPATH"] = str(ROOT)
    check_notebook(root / "notebooks" / f"{NOTEBOOKS[name]}.ipynb", root / "notebooks")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_on_the_tables_that_are_kept(name: str, root: Path) -> None:
    assert not (root / "runs" / name).exists()
    execute(name, root)


@pytest.mark.parametrize("name", ["limits", "indicator"])  # the README's commands run the other
def test_the_small_study_and_its_notebook(
    name: str, root: Path, study_command: Any, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / name
    run.mkdir(parents=True)
    shutil.copy(ROOT / "runs" / f"{name}-small" / "study.yaml", run)
    for command in ("run", "analyze"):
        done = study_command(command, run)
        assert done.returncode == 0, done.stderr
    check_tables(name, run)
    (root / "runs" / name).symlink_to(run)
    try:
        execute(name, root)
    finally:
        (root / "runs" / name).unlink()
