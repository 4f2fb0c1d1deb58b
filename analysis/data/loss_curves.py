"""Training losses of the models that a run tuned.

In: a run, by its folder or as a `Run`. Out: a data frame with the columns `pair, step, loss`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.data.runs import opened
from analysis.data.text_files import read_columns
from study.results.run import Run

COLUMNS = ["pair", "step", "loss"]


def loss_curves(run: str | Path | Run) -> pd.DataFrame:
    """Load the loss (nats per token) of every training step; empty if nothing was tuned."""
    curves = []
    for pair, entry in opened(run).ledger.tuned.items():
        path = Path(entry["folder"]) / "losses.csv"
        if path.is_file():
            curves.append(read_columns(path, {"step": "int64", "loss": "float"}).assign(pair=pair))
    if not curves:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(curves, ignore_index=True)[COLUMNS]
