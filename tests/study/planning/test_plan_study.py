"""Which jobs of a plan remain, and what a plan keeps of an earlier one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.pairs import zoo
from study.planning.plan_study import PlannedStudy
from tests.conftest import MakeRun
from tests.finished_runs import copy_run, finished_run
from tests.in_process import evaluate_all, plan


def _keys(planned: PlannedStudy) -> list[str | None]:
    return [cell.key for job in planned.plan.jobs for cell in job.cells]


def _remaining(planned: PlannedStudy, **options: list[str | None]) -> list[str | None]:
    return [cell.key for job in planned.remaining(**options) for cell in job.cells]


def test_done_cells_do_not_remain(make_run: MakeRun) -> None:
    planned = plan(make_run())
    keys = _keys(planned)
    assert planned.n_done == 0
    assert _remaining(planned) == keys
    assert _remaining(planned, without=keys[:3]) == keys[3:]
    half = replace(planned, done=frozenset(str(key) for key in keys[:10]))
    assert half.n_done == 10
    assert _remaining(half) == keys[10:]
    assert replace(planned, done=frozenset(map(str, keys))).remaining() == []


def test_a_cell_that_needs_another_waits_for_it(make_run: MakeRun) -> None:
    planned = plan(make_run())
    first, second, *_ = planned.plan.jobs
    waiting = replace(second.cells[0], needs=first.cells[0].responses)
    jobs = (first, replace(second, cells=(waiting,)))
    planned = replace(planned, plan=replace(planned.plan, jobs=jobs))
    assert waiting.key not in _remaining(planned)
    written = replace(planned, responses=frozenset({str(waiting.needs)}))
    assert waiting.key in _remaining(written)


def test_missing_models_are_reported_once(make_run: MakeRun) -> None:
    pair = {"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 1.0}
    planned = plan(make_run(pairs=[pair]))
    assert [(model, cell) for model, cell, _ in planned.missing()] == [("a/b", ""), ("a/c", "")]
    assert planned.remaining() == []
    assert set(_keys(planned)) == {None}


def test_a_study_of_imported_scores_is_not_run(make_run: MakeRun) -> None:
    with pytest.raises(StudyError, match="A study of imported scores is not run"):
        plan(make_run(pairs=..., arms=..., tasks=...))


def test_refreshed_reads_what_is_done_now(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = copy_run(finished_run(tmp_path_factory, "small"), tmp_path)
    planned = plan(folder)
    assert planned.n_done == planned.plan.n_cells == 24
    cell = planned.plan.jobs[0].cells[0]
    planned.resolved.run.cells.remove(str(cell.key))
    assert planned.n_done == 24
    assert planned.refreshed().n_done == 23
    assert _remaining(planned.refreshed()) == [cell.key]
    assert [job.cells for job in planned.refreshed().unscored()] == [(cell,)]
    planned.resolved.run.responses.remove(str(cell.responses))
    assert _remaining(planned.refreshed()) == [cell.key]
    assert planned.refreshed().unscored() == []


def test_finished_cells_stay_valid_without_their_model(make_run: MakeRun, tmp_path: Path) -> None:
    """Weights are deleted to free disk space; their finished cells do not need them."""
    pair, folder = zoo()[0], tmp_path / "models"
    for role in ("base", "tuned"):
        shutil.copytree(pair.member(role).path, folder / role)
    models = {role: str(folder / role) for role in ("base", "tuned")}
    run = make_run(pairs=[{**models, "family": "f", "params_b": pair.params_b}], limit=2, draws=1)
    before = _keys(plan(run))
    evaluate_all(run)
    shutil.rmtree(folder / "tuned")
    planned = plan(run)
    assert _keys(planned) == before
    assert planned.n_done == planned.plan.n_cells
    assert list(planned.missing()) == []
    (run / "results" / "plan.json").unlink()
    assert set(_keys(plan(run))) - set(before) == {None}, "no earlier plan names the cells"
