"""What was asked is kept once for each task, as a human can read it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from study.config.tasks import ListedTask
from study.errors import StudyError
from study.results.schema import QUESTIONS
from study.tasks.item_tables import write_item_table
from study.tasks.items import TaskItems, task_items
from study.tasks.lm_eval.library import TaskLibrary
from tests.conftest import MakeRun
from tests.in_process import plan

TASK = ListedTask(
    task="zoo_colour_mc",
    task_type="t",
    metric="acc",
    chance=0.25,
    passage="asked",
    factors=["gold"],
)


@pytest.fixture(scope="module")
def items() -> TaskItems:
    return task_items(TaskLibrary().load(TASK.task), TASK.task, shares_split=False)


def test_a_table_has_every_item_with_what_was_asked(items: TaskItems, tmp_path: Path) -> None:
    path = write_item_table(tmp_path, TASK, items)
    table = pq.read_table(path)
    assert table.column_names == list(QUESTIONS)
    rows = table.to_pylist()
    assert len(rows) == len(items.items)
    for row, item in zip(rows, items.items, strict=True):
        assert row["item"] == item.index
        assert row["question"] == item.text
        assert row["choices"] == list(item.choices)
        assert row["gold"] == item.target
        assert row["passage"] == item.raw["asked"]
        assert row["factors"] == [("gold", str(item.raw["gold"]))]


def test_a_table_is_written_once(items: TaskItems, tmp_path: Path) -> None:
    path = write_item_table(tmp_path, TASK, items)
    written = path.stat().st_mtime_ns
    assert write_item_table(tmp_path, TASK, items) == path
    assert path.stat().st_mtime_ns == written


def test_a_factor_that_the_documents_lack_is_refused(make_run: MakeRun) -> None:
    task = {"task": "zoo_colour_mc", "task_type": "t", "metric": "acc", "chance": 0.25}
    with pytest.raises(
        StudyError, match=r"zoo_colour_mc: factors: found 'golden'; expected a field"
    ):
        plan(make_run(tasks=[{**task, "factors": ["golden"]}]))
