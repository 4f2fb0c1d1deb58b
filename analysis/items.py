"""Item scores of finished cells, side by side for all pairs.

In: a run's folder. Out: `ItemScores`: for every arm and task an array over pairs, draws and items.
Only what measurement error needs is read; where pairs were asked different items there is nothing
to put side by side, and the task is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.contract import ROLES
from study.design import read_study
from study.ledger import read_ledger
from study.store import Cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ItemScores:
    """Scores by (arm, task): pairs' names, and an array [pairs, draws, items]."""

    arrays: Mapping[tuple[str, str], tuple[tuple[str, ...], Floats]]

    def of(self, arm: str, task: str, pairs: Sequence[str]) -> Floats | None:
        """[pairs, draws, items] in the order asked for; None if one of them is not there."""
        if (arm, task) not in self.arrays:
            return None
        names, scores = self.arrays[arm, task]
        place = {name: i for i, name in enumerate(names)}
        if not all(pair in place for pair in pairs):
            return None
        return scores[[place[pair] for pair in pairs]]


def load_items(run: str | Path) -> ItemScores:
    """Every arm and task of which all finished cells hold the same items."""
    run = Path(run)
    if not read_study(run).runs:
        return ItemScores({})
    cells = Cells(run)
    done = cells.done()
    rows = pd.DataFrame(read_ledger(run)["rows"])
    rows = rows[rows["key"].isin(done) & rows["role"].isin(ROLES)]
    columns = ["item", "score"]
    read = {key: cells.items(key).select(columns).to_pandas() for key in rows["key"].unique()}
    arrays = {}
    for (arm, task), own in rows.groupby(["arm", "task"]):
        draws = own.groupby("pair", sort=True)["key"].apply(list)
        asked = [read[key] for keys in draws for key in keys]
        same = all(a["item"].equals(asked[0]["item"]) for a in asked)
        whole = len(set(map(len, draws))) == 1 and not any(a["score"].isna().any() for a in asked)
        if same and whole:
            scores = np.stack([np.stack([read[key]["score"] for key in keys]) for keys in draws])
            arrays[str(arm), str(task)] = (tuple(draws.index), scores.astype(float))
    return ItemScores(arrays)
