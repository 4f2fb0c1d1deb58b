"""The ledger as it is written for a plan, and read back."""

from __future__ import annotations

import json
from typing import Any

from study.models.pairs import zoo
from study.planning.ledger_rows import ledger_rows, write_ledger
from study.results.schema import text_code
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.planning.cost.test_workload import UNAVAILABLE
from tests.study.task_files import TUNING


def test_a_row_for_each_cell_of_each_pair(make_run: MakeRun) -> None:
    planned = plan(make_run())
    rows = ledger_rows(planned.resolved, planned.plan)
    assert len(rows) == 3 * 2 * (1 + 2 + 1)
    first = rows[0]
    assert (first["pair"], first["role"], first["arm"]) == ("llama-early-xs", "base", "base-0shot")
    assert first["model"] == "llama-early-xs/base"
    assert (first["draw"], first["metric"], first["chance"]) == (None, "acc", 0.25)
    keys = {cell.key for job in planned.plan.jobs for cell in job.cells}
    assert {row["key"] for row in rows} == keys


def test_the_ledger_is_read_as_it_was_written(make_run: MakeRun) -> None:
    task: dict[str, Any] = {"task_type": "t", "metric": "acc", "chance": 0.25, "max_shots": 1}
    folder = make_run(tasks=[{"task": "zoo_colour_mc", "passage": "asked", **task}])
    planned = plan(folder)
    write_ledger(planned.resolved, planned.plan)
    run = planned.resolved.run
    assert run.ledger.rows == ledger_rows(planned.resolved, planned.plan)
    assert run.ledger.study == run.study.digest()
    items = planned.resolved.items["zoo_colour_mc"]
    assert not isinstance(items, str)
    assert run.ledger.passages["zoo_colour_mc"] == {
        str(item.index): text_code(item.raw["asked"]) for item in items.items
    }
    content = json.loads(run.ledger_file.read_text())
    (skipped,) = content["left_out"]
    assert (skipped["arm"], skipped["task"]) == ("base-5shot", "zoo_colour_mc")
    assert content["falsified"] == []
    assert content["tuned"] == {}
    (asked,) = (run.results / "items").iterdir()
    assert content["items"] == {"zoo_colour_mc": asked.name}


def test_rows_of_recipes_have_the_exposure_of_their_mixture(make_run: MakeRun) -> None:
    tasks = {"suite": "zoo_mc", "only": ["zoo_reverse_mc", "zoo_first_mc", "zoo_colour_mc"]}
    arms = ["base-0shot", "tuned-0shot-chat"]
    contrasts = [{"name": "c", "x": arms[0], "y": arms[1]}]
    folder = make_run(pairs=..., tuning=TUNING, tasks=tasks, arms=arms, contrasts=contrasts)
    planned = plan(folder)
    rows = ledger_rows(planned.resolved, planned.plan)
    exposures = {row["task"]: row["exposure"] for row in rows}
    assert exposures["zoo_reverse_mc"] == "seen_task"
    assert exposures["zoo_first_mc"] == "unseen_task", "of the type of a seen task"
    write_ledger(planned.resolved, planned.plan)
    tuned = planned.resolved.run.ledger.tuned
    assert set(tuned) == {pair.name for pair in planned.resolved.pairs}
    assert {entry["base"] for entry in tuned.values()} == {"neox-late-xs/base"}


def test_a_row_says_what_the_pair_and_the_task_are(make_run: MakeRun) -> None:
    task = {"task": "zoo_colour_mc", "task_type": "kind", "metric": "acc", "chance": 0.1}
    pair = zoo()[0]
    models = {"base": pair.base.path, "tuned": pair.tuned.path, "family": "mine"}
    folder = make_run(
        pairs=[{**models, "params_b": pair.params_b, "name": "named"}],
        tasks=[{**task, "exposure": "unseen_type"}],
        draws=1,
    )
    planned = plan(folder)
    rows = ledger_rows(planned.resolved, planned.plan)
    cells = [cell for job in planned.plan.jobs for cell in job.cells]
    row = next(row for row in rows if row["arm"] == "base-5shot")
    cell = next(cell for cell in cells if cell.arm.name == "base-5shot")
    assert row == {
        "pair": "named",
        "family": "mine",
        "params_b": pair.params_b,
        "model": cell.model.name,
        "role": "base",
        "arm": "base-5shot",
        "task": "zoo_colour_mc",
        "task_type": "kind",
        "exposure": "unseen_type",
        "draw": 0,
        "chance": 0.1,
        "metric": "acc",
        "key": cell.key,
        "responses": cell.responses,
    }
    assert {row["role"] for row in rows} == {"base", "tuned"}


def test_models_that_the_study_trains_are_in_the_ledger(make_run: MakeRun) -> None:
    arms = ["base-0shot", "tuned-0shot-chat"]
    contrasts = [{"name": "c", "x": arms[0], "y": arms[1]}]
    listed = {"source": "zoo", "pair": ["llama-early-xs"]}
    folder = make_run(pairs=[listed], tuning=TUNING, arms=arms, contrasts=contrasts)
    planned = plan(folder)
    write_ledger(planned.resolved, planned.plan)
    tuned = planned.resolved.run.ledger.tuned
    trained = [pair for pair in planned.resolved.pairs if pair.recipe is not None]
    assert set(tuned) == {pair.name for pair in trained}
    for pair in trained:
        entry = tuned[pair.name]
        assert entry["folder"] == str(planned.resolved.tuned[pair.tuned].folder)
        assert (entry["base"], entry["family"]) == (pair.base.name, pair.family)
        assert pair.recipe is not None
        assert entry["grid"] == pair.recipe.grid
        assert {key: entry[key] for key in pair.recipe.values} == pair.recipe.values


def test_a_task_without_data_has_no_passages_yet(make_run: MakeRun) -> None:
    task = {"task": "unavailable", "task_type": "t", "metric": "acc", "chance": 0.5}
    folder = make_run(tasks=[{**task, "passage": "text"}], task_folders=["tasks"])
    (folder / "tasks").mkdir()
    (folder / "tasks" / "task.yaml").write_text(UNAVAILABLE)
    planned = plan(folder)
    write_ledger(planned.resolved, planned.plan)
    ledger = planned.resolved.run.ledger
    assert ledger.passages == {}
    assert {row["key"] for row in ledger.rows} == {None}
