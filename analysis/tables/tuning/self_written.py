"""Demonstrations that tuned models wrote: `tables/written.csv`.

In: a run's folder. Out: one row per pair and task of an arm that writes, with the shares that
`study.forms.written` found when the texts were scored.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from study.results.cell_store.store import Cells
from study.results.ledger import read_ledger

COLUMNS = ["pair", "arm", "task", "task_type", "exposure", "parsed", "copied", "same_answer",
           "restated"]  # fmt: skip


def written(run: Path) -> pd.DataFrame:
    """All rows; none where no arm writes."""
    cells = Cells(run)
    done = cells.done()
    rows = [
        {**row, **cells.record(row["key"])["written"]}
        for row in read_ledger(run)["rows"]
        if row["arm"].endswith("-writes") and row["key"] in done
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
