"""Demonstrations that tuned models wrote themselves: `tables/written.csv`.

In: a run. Out: one row per pair, task and arm in which the model writes its own demonstrations,
with the shares of its texts that were parsed, copied from the prompt, gave the same answer to all,
and restated the question, as counted when the texts were scored.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.data.runs import opened
from study.results.run import Run

COLUMNS = [
    "pair",
    "arm",
    "task",
    "task_type",
    "exposure",
    "parsed",
    "copied",
    "same_answer",
    "restated",
]
ARM_SUFFIX = "-writes"
"End of the names of arms in which models write their own demonstrations."


def self_written(run: str | Path | Run) -> pd.DataFrame:
    """Compute the table; it is empty if no arm has self-written demonstrations."""
    run = opened(run)
    done = run.cells.done()
    rows = [
        {**row, **run.cells.record(row["key"])["written"]}
        for row in run.ledger.rows
        if row["arm"].endswith(ARM_SUFFIX) and row["key"] in done
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
