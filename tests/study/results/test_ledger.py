"""The ledger as the plan wrote it, and what is wrong with one that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from study.errors import StudyError
from study.results.ledger import POSITION, Ledger, position, read_ledger
from study.results.run import Run
from tests.conftest import MakeRun, tables
from tests.in_process import evaluate_all


def test_rows_of_a_finished_run(small: Run) -> None:
    ledger = small.ledger
    assert ledger.study == small.study.digest()
    assert len({position(row) for row in ledger.rows}) == len(ledger.rows) == 24
    assert {row["key"] for row in ledger.rows} == small.cells.done()
    assert ledger.passages == {}
    assert ledger.tuned == {}


def test_a_position_is_what_identifies_a_number() -> None:
    row = {"key": "k", "draw": None, "task": "t", "arm": "a", "role": "base", "pair": "p"}
    assert POSITION == ("pair", "role", "arm", "task", "draw")
    assert position(row) == ("p", "base", "a", "t", None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            None,
            r"found no results; expected a run that has been started\. Run `study run .*` first",
        ),
        ("{", r"plan\.json: found not JSON; expected a plan written by `study run`"),
        (
            '{"version": 99}',
            r"plan\.json: version: found 99; expected 3\. Run `study run .*` again",
        ),
        ('{"rows": []}', r"version: found None; expected 3"),
        ("[]", r"version: found 'list'; expected 3"),
    ],
)
def test_a_ledger_that_cannot_be_read(content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "results" / "plan.json"
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    with pytest.raises(StudyError, match=words):
        read_ledger(path)


def test_models_tuned_by_the_study_are_optional(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    content = {"version": 3, "study": "s", "prompts": "p", "rows": [], "passages": {}}
    path.write_text(json.dumps(content))
    assert read_ledger(path) == Ledger(3, "s", "p", [], {}, {})


def test_a_ledger_of_the_version_before_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    rows = [{"pair": "p", "key": "k"}]
    path.write_text(json.dumps({"version": 2, "study": "s", "rows": rows, "passages": {}}))
    ledger = read_ledger(path)
    assert not ledger.is_current
    assert ledger.rows == [{"pair": "p", "key": "k", "responses": None}]


def test_items_that_share_a_text_are_resampled_together(make_run: MakeRun) -> None:
    """The position of the right answer serves as a passage: four for all items."""
    from analysis.data.items import load_items

    task = {"task": "zoo_colour_mc", "task_type": "knowledge", "metric": "acc", "chance": 0.25}
    run = evaluate_all(make_run(tasks=[{**task, "passage": "gold"}], draws=1))
    assert set(run.ledger.passages) == {"zoo_colour_mc"}
    items = load_items(run)
    aligned = items.by_arm_and_task["base-5shot", "zoo_colour_mc"]
    clusters = items.clusters("zoo_colour_mc", aligned.items)
    (file,) = (run.results / "items").glob("zoo_colour_mc.*.parquet")
    asked = pq.read_table(file).to_pydict()
    gold_of = dict(zip(asked["item"], asked["passage"], strict=True))
    golds = [gold_of[int(item)] for item in aligned.items]
    assert len(set(clusters.tolist())) == len(set(golds)) > 1
    assert len(set(zip(clusters.tolist(), golds, strict=True))) == len(set(golds))
    tables(run.folder)
    table = pd.read_csv(run.folder / "tables" / "agreement.csv")
    assert (table["n_clusters"] == len(set(golds))).all()
    assert (table["n_items"] == 12).all()
