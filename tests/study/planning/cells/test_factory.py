"""Cells: what their identity holds besides model, task and limit, and why one has no key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from study.models.pairs import zoo
from study.planning.cells.cell import Cell
from study.planning.cells.factory import other_task
from study.planning.plan_report import plan_json
from study.planning.resolving.resolve_study import resolve_study
from study.results.run import Run
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.task_files import TUNING


def _cells(folder: Path) -> list[Cell]:
    return [cell for job in plan(folder).plan.jobs for cell in job.cells]


def _study(*arms: str, **changes: Any) -> dict[str, Any]:
    contrasts = [{"name": "c", "x": arms[0], "y": arms[-1]}]
    return {"arms": list(arms), "contrasts": contrasts, "layout": "zoo", **changes}


def test_the_identity_of_a_plain_arm(make_run: MakeRun) -> None:
    folder = make_run(limit=5, dtype="float32")
    cell = next(cell for cell in _cells(folder) if cell.arm.name == "base-5shot")
    assert cell.identity is not None
    model, prompts = (cell.identity["responses"][part] for part in ("model", "prompts"))
    assert model["dtype"] == "float32"
    assert model["engine"] == "shared-prefix"
    assert prompts["limit"] == 5
    assert prompts["arm"] == {"shots": 5, "template": False}
    assert set(prompts) == {"task", "limit", "arm", "demonstrations", "kept"}
    assert set(cell.identity["scorer"]) == {"metric", "scale", "configuration"}
    assert cell.describe() == f"base-5shot {cell.task.task} draw 0"


def test_a_scaled_metric_is_another_one(make_run: MakeRun) -> None:
    task = {"task": "zoo_colour_mc", "task_type": "t", "metric": "acc", "chance": 0, "scale": 0.5}
    cell = _cells(make_run(tasks=[task]))[0]
    assert cell.identity is not None
    assert cell.identity["scorer"]["scale"] == 0.5


def test_forms_and_scorers_are_part_of_the_identity(make_run: MakeRun) -> None:
    answers = {"choose": "exact", "tokens": 9}
    folder = make_run(**_study("base-0shot-fields", "tuned-0shot", answers=answers))
    by_arm = {cell.arm.name: cell.identity for cell in _cells(folder)}
    form, plain = by_arm["base-0shot-fields"], by_arm["tuned-0shot"]
    assert form is not None
    assert plain is not None
    for identity in (form, plain):
        assert identity["responses"]["prompts"]["generation"]["tokens"] == 9
        assert identity["responses"]["prompts"]["layout"]["field"] == "{name} {value} "
        assert identity["scorer"]["metric"] == "answer_exact"
        assert identity["scorer"]["layout"]["field"] == "{name} {value} "
    assert form["responses"]["prompts"]["arm"]["form"] == "fields"
    assert "form" not in plain["responses"]["prompts"]["arm"]


def test_demonstrations_of_a_task_of_another_type(make_run: MakeRun) -> None:
    folder = make_run(**_study("base-2shot-othertask", "tuned-0shot"))
    resolved = resolve_study(Run.open(folder))
    tasks = {task.task: task for task in resolved.tasks}
    cells = [cell for cell in _cells(folder) if cell.arm.form]
    assert {cell.draw for cell in cells} == {0, 1}
    for cell in cells:
        assert cell.demonstrator == other_task(resolved, cell.task, cell.draw)
        assert tasks[str(cell.demonstrator)].task_type != cell.task.task_type
        assert cell.identity is not None
        prompts = cell.identity["responses"]["prompts"]
        assert prompts["demonstrator"]["name"] == cell.demonstrator


def test_without_a_task_of_another_type_there_is_no_key(make_run: MakeRun) -> None:
    tasks = {"suite": "zoo_mc", "only": ["zoo_colour_mc"]}
    folder = make_run(**_study("base-2shot-othertask", "tuned-0shot", tasks=tasks))
    cells = [cell for cell in _cells(folder) if cell.arm.form]
    assert {cell.key for cell in cells} == {None}
    assert {cell.missing for cell in cells} == {
        "zoo_colour_mc: there is no task of another type to demonstrate it"
    }


def test_a_cell_without_model_or_data_says_why(make_run: MakeRun) -> None:
    pair = {"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 1.0}
    folder = make_run(pairs=[pair])
    models = resolve_study(Run.open(folder)).models
    for cell in _cells(folder):
        assert cell.key is cell.responses is cell.identity is None
        assert cell.missing == models[cell.model]


def test_more_shots_than_the_pool_holds_give_no_key(make_run: MakeRun) -> None:
    folder = make_run(**_study("base-999shot", "tuned-0shot"))
    few = [cell for cell in _cells(folder) if cell.arm.shots]
    assert {cell.key for cell in few} == {None}
    assert all("999 demonstrations are wanted and the pool holds" in cell.missing for cell in few)


def test_a_cell_that_reads_responses_needs_the_cell_that_gives_them(make_run: MakeRun) -> None:
    arms = ("base-0shot-written", "tuned-0shot-chat-writes", "tuned-0shot-chat")
    answers = {"choose": "exact"}
    folder = make_run(**_study(*arms, pairs=..., tuning=TUNING, answers=answers))
    cells = _cells(folder)
    writers = {cell.task.task: cell.responses for cell in cells if cell.arm.form == "writes"}
    readers = [cell for cell in cells if cell.arm.form == "written"]
    assert len(readers) == len(writers) == 2
    for cell in readers:
        assert cell.needs == writers[cell.task.task]
        assert cell.identity is not None
        assert cell.identity["responses"]["prompts"]["reads"] == cell.needs


@pytest.mark.parametrize(("shots", "truncated"), [(2, False), (20, True)])
def test_truncated_prompts_are_part_of_the_identity(
    shots: int, truncated: bool, make_run: MakeRun
) -> None:
    """Both sides of a pair keep the same demonstrations."""
    tasks = {"suite": "zoo_mc", "only": ["zoo_lookup_mc"]}
    arms = (f"base-{shots}shot", f"tuned-{shots}shot-chat")
    cells = _cells(make_run(**_study(*arms, tasks=tasks, draws=1)))
    assert len(cells) == 6
    for cell in cells:
        assert cell.identity is not None
        kept = cell.identity["responses"]["prompts"]["kept"]
        assert (cell.kept is not None) == (kept is not None) == truncated
        if cell.kept is not None:
            assert len(cell.kept) == 12
            assert min(cell.kept) < shots
    assert len({cell.kept for cell in cells}) <= 3, "one for each pair"


def test_a_tokenizer_that_fails_for_some_texts_concerns_its_own_model(
    make_run: MakeRun, tmp_path: Path
) -> None:
    """Rust's `WordLevel` raises an error for an unknown word if there is no token for it."""
    whole, other = zoo()[1], zoo()[6]
    broken = Path(shutil.copytree(other.tuned.path, tmp_path / "models" / "broken"))
    file = broken / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["unk_token"] = "<missing>"
    content["model"]["vocab"].pop("colour")
    file.write_text(json.dumps(content))
    pairs = [
        {"base": pair.base.path, "tuned": tuned, "family": "f", "params_b": pair.params_b}
        for pair, tuned in ((whole, whole.tuned.path), (other, str(broken)))
    ]
    arms = ["base-0shot", "base-5shot", "tuned-0shot-chat", "tuned-5shot-chat"]
    planned = plan(make_run(pairs=pairs, arms=arms))
    missing = [cell for _, _, cell in planned.plan.rows if cell.key is None]
    assert {cell.model.path for cell in missing} == {str(broken)}
    assert {cell.arm.name for cell in missing} == {"tuned-5shot-chat"}
    assert {cell.task.task for cell in missing} == {"zoo_colour_mc"}
    (reason,) = {cell.missing for cell in missing}
    assert f"{broken}: its prompts cannot be made: " in reason
    assert plan_json(planned)["cells"] == planned.plan.n_cells
