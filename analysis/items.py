"""Item scores of finished cells, side by side for all pairs.

In: a run's folder. Out: `ItemScores`: for every arm and task an array over pairs, draws and items.
Only what measurement error needs is read; where pairs were asked different items there is nothing
to put side by side, and the task is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.design import read_study
from study.imports import read_imports
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
    """Every arm and task of which all scores, computed or imported, are of the same items."""
    run = Path(run)
    found: dict[tuple[str, str], dict[str, list[pd.Series]]] = {}
    for (arm, task, pair), scores in [*_computed(run), *_imported(run)]:
        found.setdefault((arm, task), {}).setdefault(pair, []).append(scores)
    arrays = {}
    for at, of_pair in found.items():
        every = [scores for draws in of_pair.values() for scores in draws]
        same = all(scores.index.equals(every[0].index) for scores in every)
        if same and len(set(map(len, of_pair.values()))) == 1:
            names = sorted(of_pair)
            arrays[at] = (tuple(names), np.stack([np.stack(of_pair[name]) for name in names]))
    return ItemScores(arrays)


def _computed(run: Path) -> Iterator[tuple[tuple[str, str, str], pd.Series]]:
    """Of finished cells, in the order of their draws; none where a score is not a number."""
    if not read_study(run).runs:
        return
    cells = Cells(run)
    done = cells.done()
    read: dict[str, pd.Series] = {}
    for row in read_ledger(run)["rows"]:
        key = row["key"]
        if key in done:
            if key not in read:
                table = cells.items(key).select(["item", "score"]).to_pandas()
                read[key] = table.set_index("item")["score"].astype(float)
            if not read[key].isna().any():
                yield (row["arm"], row["task"], row["pair"]), read[key]


def _imported(run: Path) -> Iterator[tuple[tuple[str, str, str], pd.Series]]:
    for imported in read_imports(run):
        for number, items in imported.items.items():
            row = imported.rows.iloc[int(number)]
            documents, scores = zip(*items, strict=True)
            yield (
                (str(row["arm"]), str(row["task"]), str(row["pair"])),
                pd.Series(scores, index=[int(document) for document in documents]),
            )
