"""The studies of tuning: their small versions run to the end, and their notebooks read the tables
of these and those that are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.test_readme import check_notebook

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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_small_study_and_its_notebook(
    name: str, root: Path, study_command: Any, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / name
    run.mkdir(parents=True)
    shutil.copy(ROOT / "runs" / f"{name}-small" / "study.yaml", run)
    for command in ("run", "analyze"):
        done = study_command(command, run)
        assert done.returncode == 0, done.stderr
    tables = {path.stem: pd.read_csv(path) for path in (run / "tables").glob("*.csv")}
    tuned = tables["tuning"]
    assert len(tuned) == {"limits": 20, "loss": 18, "indicator": 12}[name]
    assert (tuned["last_loss"] < tuned["first_loss"]).all()
    assert (run / "figures" / "losses.pdf").is_file()
    if name == "limits":
        assert set(tables["exposures"]["exposure"]) == {"seen_task", "unseen_task", "unseen_type"}
        assert (tables["written"]["parsed"] >= 0).all()
        assert set(tables["agreement"]["quantity"]) >= {"only_tuned", "base_given_tuned"}
    else:
        assert set(tables["recipe_gains"]["scale"]) == {"absolute", "log_odds", "relative"}
    (root / "runs" / name).symlink_to(run)
    try:
        execute(name, root)
    finally:
        (root / "runs" / name).unlink()
