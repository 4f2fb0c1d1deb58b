"""Item scores aligned over pairs, and the choices that models made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.data.items import COLUMNS, AlignedItems, ItemScores, load_items
from study.results.cell_store.store import CellStore
from study.results.run import Run
from study.results.schema import ITEMS
from tests.analysis.samples import Y
from tests.finished_runs import copy_run, finished_run


def test_the_columns_are_those_of_both_versions() -> None:
    assert [*ITEMS, "logprobs", "lengths", "text"] == COLUMNS


def test_a_cell_of_version_1_has_the_choices_of_its_responses(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Such a cell holds its responses itself; written here as that version wrote it."""
    copied = Run.open(copy_run(finished_run(tmp_path_factory, "small"), tmp_path))
    row = copied.ledger.rows[0]
    responses = copied.responses.items(row["responses"]).to_pylist()
    scores = copied.cells.items(row["key"]).to_pylist()
    version_1 = [
        {
            "item": score["item"],
            "score": score["score"],
            "logprobs": response["logprobs"],
            "lengths": response["characters"],
            "text": None,
        }
        for score, response in zip(scores, responses, strict=True)
    ]
    kinds = {"item": "int64", "score": "float64", "logprobs": "list<float64>"}
    kinds |= {"lengths": "list<int64>", "text": "string"}
    before = load_items(copied).by_arm_and_task[row["arm"], row["task"]]
    record = copied.cells.record(row["key"])
    copied.cells.remove(row["key"])
    CellStore(copied.cells.folder, tmp_path / "packs", kinds).write(row["key"], record, version_1)
    after = load_items(Run.open(copied.folder)).by_arm_and_task[row["arm"], row["task"]]
    assert after.choices is not None
    assert before.choices is not None
    assert (after.choices == before.choices).all()
    assert (after.scores == before.scores).all()


def test_imported_items_are_aligned_over_pairs(imported_run: Run) -> None:
    items = load_items(imported_run)
    assert set(items.by_arm_and_task) == {(Y, "c")}
    task_items = items.of(Y, "c", ["p3", "p0"])
    assert task_items is not None
    assert task_items.pairs == ("p3", "p0")
    assert task_items.scores.shape == (2, 1, 4)
    assert task_items.choices is not None
    assert items.clusters("c", task_items.items).tolist() == [0, 0, 1, 1]
    assert items.of(Y, "c", ["unknown"]) is None
    assert items.of(Y, "a", ["p0"]) is None


@pytest.mark.parametrize("shift", [0, 1])
def test_both_arms_need_the_same_items(shift: int) -> None:
    scores = np.zeros((2, 1, 3))
    x = AlignedItems(("p", "q"), np.arange(3), scores)
    y = AlignedItems(("q", "p"), np.arange(3) + shift, scores)
    both = ItemScores({("x", "t"): x, ("y", "t"): y}).both("x", "y", "t", ["p"])
    assert (both is None) == (shift == 1)
    if both is not None:
        assert both[0].pairs == both[1].pairs == ("p",)


def test_items_without_passages_are_clusters_of_their_own() -> None:
    items = ItemScores({}, {"t": {0: 7}})
    assert items.clusters("t", np.array([0, 1])).tolist() == [0, 1]
    assert items.clusters("other", np.array([4, 9, 2])).tolist() == [0, 1, 2]
