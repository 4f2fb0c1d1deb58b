"""Scores that context indicators gave to the turns of mixtures: `tables/turn_scores.csv`.

In: a run. Out: one row per turn of a mixture: `mixture, indicator, source, score, marked`. Turns
and scores do not depend on the base, so one tuned model per mixture and indicator is read.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.data.runs import opened
from analysis.data.text_files import read_columns
from study.results.run import Run

FILE = {"source": "str", "score": "float", "marked": "int64"}
"Columns of the file that training writes, with their types."
COLUMNS = ["mixture", "indicator", "source", "score", "marked"]


def turn_scores(run: str | Path | Run) -> pd.DataFrame:
    """Load the table; it is empty if no indicator scored a turn."""
    parts, seen = [], set()
    for entry in opened(run).ledger.tuned.values():
        path = Path(entry["folder"]) / "turn_scores.csv"
        mixture, indicator = entry["mixture"], entry["indicator"]
        if path.is_file() and (mixture, indicator) not in seen:
            seen.add((mixture, indicator))
            scores = read_columns(path, FILE)
            parts.append(scores.assign(mixture=mixture, indicator=indicator))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)
