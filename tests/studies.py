"""What a study of tuning and its notebook must have left."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

MODELS = {"limits": 12, "loss": 18, "indicator": 12}
"Of the small versions."


def check_tables(name: str, run: Path) -> None:
    """Of a study's small version: every model was tuned and learnt, its tables are there."""
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


def check_notebook(path: Path, folder: Path) -> None:
    """It is kept without outputs, runs in that folder, and shows tables and figures."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    kinds = {kind for cell in code for output in cell.outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
