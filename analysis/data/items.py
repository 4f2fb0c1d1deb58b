"""Item scores of finished cells, side by side for all pairs.

In: a run's folder. Out: `ItemScores`: for every arm and task the pairs' answers, arrays over pairs,
draws and items. Where pairs were asked different items there is nothing to put side by side, and
the task is left out; so it is for two arms (`both`). A *choice* is a number that is the same for
the same answer: the likeliest option as the metric weighs it, or a hash of the generated text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from study.config.study import read_study
from study.results.cell_store.store import Cells
from study.results.imported import read_imports
from study.results.ledger import read_ledger
from study.results.schema import BY_LENGTH, text_code

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COLUMNS = ["item", "score", "logprobs", "lengths", "text"]


@dataclass(frozen=True)
class Answers:
    """What pairs answered to one task in one arm."""

    pairs: tuple[str, ...]
    items: Ints
    "[items]: their places in the task's split."
    scores: Floats
    "[pairs, draws, items]"
    choices: Ints | None = None
    "[pairs, draws, items]; None where unknown."

    def of(self, pairs: Sequence[str]) -> Answers | None:
        """Only these, in this order; None if one is not there."""
        place = {name: i for i, name in enumerate(self.pairs)}
        if not all(pair in place for pair in pairs):
            return None
        rows = [place[pair] for pair in pairs]
        chosen = None if self.choices is None else self.choices[rows]
        return Answers(tuple(pairs), self.items, self.scores[rows], chosen)


@dataclass(frozen=True)
class ItemScores:
    """All answers of a run."""

    answers: Mapping[tuple[str, str], Answers]
    "By arm and task."
    passages: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    "By task, the passage of each item, where several items share one."

    def of(self, arm: str, task: str, pairs: Sequence[str]) -> Answers | None:
        """The answers of these pairs; None if one is not there."""
        found = self.answers.get((arm, task))
        return None if found is None else found.of(pairs)

    def both(
        self, x_arm: str, y_arm: str, task: str, pairs: Sequence[str]
    ) -> tuple[Answers, Answers] | None:
        """Of two arms; None unless they were asked the same items."""
        x, y = self.of(x_arm, task, pairs), self.of(y_arm, task, pairs)
        if x is None or y is None or not np.array_equal(x.items, y.items):
            return None
        return x, y

    def clusters(self, task: str, items: Ints) -> Ints:
        """[items]: drawn together: passages where all are known, else each item alone."""
        of = self.passages.get(task, {})
        if not all(int(item) in of for item in items):
            return np.arange(len(items))
        return np.unique([of[int(item)] for item in items], return_inverse=True)[1]


@dataclass(frozen=True)
class _Cell:
    """One cell's items."""

    items: Ints
    scores: Floats
    choices: Ints | None


def load_items(run: str | Path) -> ItemScores:
    """Every arm and task of which all scores, computed or imported, are of the same items."""
    run = Path(run)
    found: dict[tuple[str, str], dict[str, list[_Cell]]] = {}
    for (arm, task, pair), cell in [*_computed(run), *_imported(run)]:
        found.setdefault((arm, task), {}).setdefault(pair, []).append(cell)
    answers = {}
    for at, of_pair in found.items():
        every = [cell for draws in of_pair.values() for cell in draws]
        same = all(np.array_equal(cell.items, every[0].items) for cell in every)
        if same and len(set(map(len, of_pair.values()))) == 1:
            answers[at] = _together(dict(sorted(of_pair.items())))
    return ItemScores(answers, _passages(run))


def _together(of_pair: dict[str, list[_Cell]]) -> Answers:
    """Cells of the same items, by pair and draw."""
    scores = np.stack([[cell.scores for cell in draws] for draws in of_pair.values()])
    chosen = [[c.choices for c in draws if c.choices is not None] for draws in of_pair.values()]
    told = all(len(c) == len(d) for c, d in zip(chosen, of_pair.values(), strict=True))
    items = next(iter(of_pair.values()))[0].items
    return Answers(tuple(of_pair), items, scores, np.stack(chosen) if told else None)


def _computed(run: Path) -> Iterator[tuple[tuple[str, str, str], _Cell]]:
    """Of finished cells, in the order of their draws; none where a score is not a number."""
    if not read_study(run).runs:
        return
    cells = Cells(run)
    done = cells.done()
    read: dict[str, _Cell] = {}
    for row in read_ledger(run)["rows"]:
        key = row["key"]
        if key in done:
            if key not in read:
                read[key] = _cell(cells.items(key, COLUMNS), row["metric"])
            if np.isfinite(read[key].scores).all():
                yield (row["arm"], row["task"], row["pair"]), read[key]


def _cell(table: pa.Table, metric: str) -> _Cell:
    scores = table["score"].to_numpy().astype(float)
    return _Cell(table["item"].to_numpy(), scores, _choices(table, metric))


def _choices(table: pa.Table, metric: str) -> Ints | None:
    """The place of the likeliest option, or a hash of the text; None where an item has neither."""
    logprobs = table["logprobs"].combine_chunks()
    counts = np.diff(logprobs.offsets.to_numpy())
    if (counts == 0).all():
        if table["text"].null_count:
            return None
        texts = table["text"].combine_chunks().dictionary_encode()
        hashes = [text_code(text) for text in texts.dictionary.to_pylist()]
        return np.asarray(np.array(hashes)[texts.indices.to_numpy()], dtype=np.int64)
    if (counts < 2).any():
        return None
    values = logprobs.flatten().to_numpy()
    if metric.split(",")[0] == BY_LENGTH:
        lengths = table["lengths"].combine_chunks().flatten().to_numpy()
        values = values / np.maximum(lengths, 1)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    best = np.repeat(np.maximum.reduceat(values, starts), counts)
    places = np.arange(len(values)) - np.repeat(starts, counts)
    first = np.minimum.reduceat(np.where(values == best, places, counts.max()), starts)
    return np.asarray(first, dtype=np.int64)


def _imported(run: Path) -> Iterator[tuple[tuple[str, str, str], _Cell]]:
    for imported in read_imports(run):
        for number, items in imported.items.items():
            row = imported.rows.iloc[int(number)]
            choices = None if items["choice"] is None else np.array(items["choice"], dtype=np.int64)
            yield (
                (str(row["arm"]), str(row["task"]), str(row["pair"])),
                _Cell(np.array(items["item"]), np.array(items["score"], dtype=float), choices),
            )


def _passages(run: Path) -> dict[str, dict[int, int]]:
    """By task and item, as imports or the run itself know them."""
    found: dict[str, dict[int, int]] = {}
    for imported in read_imports(run):
        for task, of in imported.passages.items():
            found.setdefault(task, {}).update(of)
    if read_study(run).runs:
        for task, named in read_ledger(run)["passages"].items():
            found.setdefault(task, {}).update({int(item): code for item, code in named.items()})
    return found
