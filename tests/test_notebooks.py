"""Notebooks are kept without outputs and run: on a finished small run, and on the kept tables."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.finished_runs import finished_run

OF_THE_DEMO = ("01_demo", "02_published_scores", "03_statistics")
OF_STUDIES = {"limits": "04_limits", "loss": "05_loss", "indicator": "06_indicator"}
MODELS = {"limits": 12, "loss": 18, "indicator": 12}
"Tuned models of the small versions."


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the project's root, with the notebooks and no results."""
    folder = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / "runs").mkdir()
    return folder


@pytest.fixture(scope="module")
def kernel(root: Path) -> Iterator[Any]:
    """One kernel for all notebooks; each begins with an empty namespace."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    environment = pytest.MonkeyPatch()
    environment.setenv("PYTHONPATH", str(ROOT))
    manager.start_kernel(cwd=str(root / "notebooks"))
    yield manager
    manager.shutdown_kernel(now=True)
    environment.undo()


def execute(name: str, root: Path, kernel: Any) -> None:
    """Run a notebook; it has no outputs when it begins, and shows tables and figures."""
    notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    code[0].source = "%reset -f\n" + code[0].source
    NotebookClient(notebook, km=kernel, timeout=300).execute()
    kinds = {kind for cell in code for output in cell.outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_use_the_analysis_only(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            packages = re.findall(r"^\s*(?:from|import) (\w+)", cell.source, flags=re.M)
            assert "study" not in packages, path.name


@pytest.mark.parametrize("name", OF_THE_DEMO)
def test_notebook_of_the_demo(
    name: str, root: Path, kernel: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = root / "runs" / "demo"
    if not run.exists():
        run.symlink_to(finished_run(tmp_path_factory, "demo"))
    execute(name, root, kernel)


@pytest.mark.parametrize("name", OF_STUDIES)
def test_notebook_on_the_kept_tables(name: str, root: Path, kernel: Any) -> None:
    assert not (root / "runs" / name).exists()
    execute(OF_STUDIES[name], root, kernel)


@pytest.mark.parametrize("name", OF_STUDIES)
def test_notebook_on_the_small_study(
    name: str, root: Path, kernel: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = finished_run(tmp_path_factory, f"{name}-small")
    check_tables(name, run)
    (root / "runs" / name).symlink_to(run)
    try:
        execute(OF_STUDIES[name], root, kernel)
    finally:
        (root / "runs" / name).unlink()


def check_tables(name: str, run: Path) -> None:
    """In the small version of a study every model was tuned and learnt; its tables are there."""
    tables = {path.stem: pd.read_csv(path) for path in (run / "tables").glob("*.csv")}
    tuned = tables["tuning"]
    assert len(tuned) == MODELS[name]
    assert (tuned["last_loss"] < tuned["first_loss"]).all()
    assert (run / "figures" / "losses.pdf").is_file()
    if name == "limits":
        assert set(tables["exposures"]["exposure"]) == {"seen_task", "unseen_task", "unseen_type"}
        assert len(tables["written"]) == 6 * 5  # models that write, tasks
        assert tables["written"]["parsed"].max() > 0
        assert set(tables["agreement"]["quantity"]) >= {"only_tuned", "base_given_tuned"}
    else:
        assert set(tables["recipe_gains"]["scale"]) == {"absolute", "log_odds", "relative"}
