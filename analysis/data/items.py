"""Item scores of finished cells, aligned over pairs.

In: a run, by its folder or as a `Run`. Out: `ItemScores`: for every arm and task the pairs' item
scores as arrays over pairs, draws and items. Where pairs were evaluated on different items nothing
can be aligned, and the task is absent. A *choice* is a number that is equal for equal answers: the
index of the likeliest option, as the metric weighs it, or a hash of the generated text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.data.runs import opened
from study.results.cell_store.choices import choices_of
from study.results.run import Run
from study.results.schema import ITEMS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Position = tuple[str, str, str]
"(arm, task, pair)"
COLUMNS = [*ITEMS, "logprobs", "lengths", "text"]
"The columns of a cell's items that are read: those of this version, and of version 1."


@dataclass(frozen=True)
class AlignedItems:
    """Item scores of several pairs on one task in one arm."""

    pairs: tuple[str, ...]
    items: Ints
    "[items]: index of each item in the task's split."
    scores: Floats
    "[pairs, draws, items]"
    choices: Ints | None = None
    "[pairs, draws, items]; None where unknown."

    def select(self, pairs: Sequence[str]) -> AlignedItems | None:
        """Restrict to some pairs, in their order; None if one is missing."""
        index = {name: i for i, name in enumerate(self.pairs)}
        if not all(pair in index for pair in pairs):
            return None
        rows = [index[pair] for pair in pairs]
        choices = None if self.choices is None else self.choices[rows]
        return AlignedItems(tuple(pairs), self.items, self.scores[rows], choices)


@dataclass(frozen=True)
class ItemScores:
    """Item scores of a run."""

    by_arm_and_task: Mapping[tuple[str, str], AlignedItems]
    passages: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    "By task, the passage of each item, for tasks in which items share passages."

    def of(self, arm: str, task: str, pairs: Sequence[str]) -> AlignedItems | None:
        """Item scores of these pairs; None if one is missing."""
        task_items = self.by_arm_and_task.get((arm, task))
        return None if task_items is None else task_items.select(pairs)

    def both(
        self, x_arm: str, y_arm: str, task: str, pairs: Sequence[str]
    ) -> tuple[AlignedItems, AlignedItems] | None:
        """Item scores in two arms; None unless both have the same items."""
        x, y = self.of(x_arm, task, pairs), self.of(y_arm, task, pairs)
        if x is None or y is None or not np.array_equal(x.items, y.items):
            return None
        return x, y

    def clusters(self, task: str, items: Ints) -> Ints:
        """Cluster of each item [items]: its passage if all are known, else one cluster per item."""
        passages = self.passages.get(task, {})
        if not all(int(item) in passages for item in items):
            return np.arange(len(items))
        return np.unique([passages[int(item)] for item in items], return_inverse=True)[1]


@dataclass(frozen=True)
class _CellItems:
    """The items of one cell."""

    items: Ints
    scores: Floats
    choices: Ints | None


def load_items(run: str | Path | Run) -> ItemScores:
    """Load the item scores of every arm and task that all pairs share.

    An arm and task is included if all its cells, computed or imported, have the same items, and all
    pairs the same number of draws.
    """
    run = opened(run)
    cells: dict[tuple[str, str], dict[str, list[_CellItems]]] = {}
    for (arm, task, pair), cell in [*_computed(run), *_imported(run)]:
        cells.setdefault((arm, task), {}).setdefault(pair, []).append(cell)
    aligned = {}
    for arm_and_task, by_pair in cells.items():
        every = [cell for draws in by_pair.values() for cell in draws]
        same = all(np.array_equal(cell.items, every[0].items) for cell in every)
        if same and len(set(map(len, by_pair.values()))) == 1:
            aligned[arm_and_task] = _align(dict(sorted(by_pair.items())))
    return ItemScores(aligned, _passages(run))


def _align(by_pair: dict[str, list[_CellItems]]) -> AlignedItems:
    """Stack cells of the same items over pairs and draws."""
    scores = np.stack([[cell.scores for cell in draws] for draws in by_pair.values()])
    choices = [[c.choices for c in draws if c.choices is not None] for draws in by_pair.values()]
    known = all(len(c) == len(draws) for c, draws in zip(choices, by_pair.values(), strict=True))
    items = next(iter(by_pair.values()))[0].items
    return AlignedItems(tuple(by_pair), items, scores, np.stack(choices) if known else None)


def _computed(run: Run) -> Iterator[tuple[Position, _CellItems]]:
    """Finished cells in the order of their draws, except those with a score that is not finite."""
    if not run.study.runs:
        return
    done = run.cells.done()
    by_key: dict[str, _CellItems] = {}
    for row in run.ledger.rows:
        key = row["key"]
        if key in done:
            if key not in by_key:
                by_key[key] = _cell_items(run.cells.items(key, COLUMNS), row["metric"])
            if np.isfinite(by_key[key].scores).all():
                yield (row["arm"], row["task"], row["pair"]), by_key[key]


def _cell_items(table: pa.Table, metric: str) -> _CellItems:
    scores = table["score"].to_numpy().astype(float)
    if "choice" not in table.column_names:
        choices = _version_1_choices(table, metric)
    else:
        column = table["choice"]
        choices = None if column.null_count else column.to_numpy()
    return _CellItems(table["item"].to_numpy(), scores, choices)


def _version_1_choices(table: pa.Table, metric: str) -> Ints | None:
    """Choices of a cell of identity version 1, which holds its responses itself."""
    texts = [[text] for text in table["text"].to_pylist()]
    responses = pa.table(
        {
            "logprobs": table["logprobs"],
            "characters": table["lengths"],
            "texts": pa.chunked_array([pa.array(texts, pa.list_(pa.string()))]),
        }
    )
    return choices_of(responses, metric)


def _imported(run: Run) -> Iterator[tuple[Position, _CellItems]]:
    for imported in run.imports:
        for number, items in imported.items.items():
            row = imported.rows.iloc[int(number)]
            choices = None if items["choice"] is None else np.array(items["choice"], dtype=np.int64)
            yield (
                (str(row["arm"]), str(row["task"]), str(row["pair"])),
                _CellItems(np.array(items["item"]), np.array(items["score"], dtype=float), choices),
            )


def _passages(run: Run) -> dict[str, dict[int, int]]:
    """Passage of each item by task, from imports and from the ledger."""
    passages: dict[str, dict[int, int]] = {}
    for imported in run.imports:
        for task, by_item in imported.passages.items():
            passages.setdefault(task, {}).update(by_item)
    if run.study.runs:
        for task, codes in run.ledger.passages.items():
            passages.setdefault(task, {}).update({int(item): code for item, code in codes.items()})
    return passages
