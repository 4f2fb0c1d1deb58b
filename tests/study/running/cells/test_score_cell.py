"""Scores are computed from stored responses, without a model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.models.pairs import zoo
from study.results.run import Run
from study.running.cells import run_model
from tests.conftest import MakeRun
from tests.finished_runs import copy_run, finished_run
from tests.in_process import evaluate, evaluate_all, plan
from tests.study.commands import call
from tests.study.task_files import write_tasks


def rewrite(folder: Path, **values: Any) -> None:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a model is an error."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(run_model.ModelRunner, "_load", refuse)


@pytest.fixture
def one_model(make_run: MakeRun) -> Path:
    return make_run(
        pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}],
        arms=["base-0shot", "tuned-0shot"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}],
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
        answers={"choose": "exact", "tokens": 6},
    )


def test_another_scorer_needs_no_new_responses(
    one_model: Path, request: pytest.FixtureRequest
) -> None:
    first = evaluate_all(one_model)
    request.getfixturevalue("no_model")
    finished = first.cells.done()
    before = {key: first.responses.items(key) for key in first.responses.done()}
    rewrite(one_model, answers={"choose": "exact", "tokens": 6, "extraction": "as_released"})
    second = evaluate_all(one_model)
    assert finished < second.cells.done()
    assert len(second.cells.done()) == 4, "two by each rule"
    assert {key: second.responses.items(key) for key in second.responses.done()} == before
    assert {row["metric"] for row in second.ledger.rows} == {"answer_exact_as_released"}


def test_scores_that_were_lost_are_computed_again_to_the_last_bit(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    run = Run.open(copy_run(finished_run(tmp_path_factory, "small"), tmp_path))
    request.getfixturevalue("no_model")
    before = {key: run.cells.items(key) for key in run.cells.done()}
    records = {key: run.cells.record(key) for key in before}
    shutil.rmtree(run.cells.folder)
    again = evaluate_all(run.folder)
    assert {key: again.cells.items(key) for key in again.cells.done()} == before
    for key, record in records.items():
        other = again.cells.record(key)
        assert {**other, "scored": None} == {**record, "scored": None}


def test_a_metric_that_fails_loses_no_response(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folder = make_run(**write_tasks(tmp_path / "tasks", ["fine"]))
    code = tmp_path / "tasks" / "code.py"
    text = code.read_text()
    code.write_text(text.replace('return {"acc": 1.0}', "return {}[0]", 1))
    failures = [event for event in evaluate(folder) if event.kind == "failed"]
    assert ["KeyError" in event.reason for event in failures] == [True, True]
    run = Run.open(folder)
    assert len(run.responses.done()) == 2
    assert run.cells.done() == set()
    code.write_text(text)
    monkeypatch.setattr(run_model.ModelRunner, "_load", None)
    assert len(evaluate_all(folder).cells.done()) == 2


def test_cells_whose_model_is_gone_can_be_scored_by_another_rule(
    make_run: MakeRun, tmp_path: Path
) -> None:
    pair = zoo()[0]
    models = {}
    for role in ("base", "tuned"):
        models[role] = str(shutil.copytree(pair.member(role).path, tmp_path / "m" / role))
    folder = make_run(
        pairs=[{**models, "family": "f", "params_b": pair.params_b}],
        arms=["base-0shot", "tuned-0shot"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot"}],
        tasks={"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
        answers={"choose": "exact", "tokens": 6},
    )
    evaluate_all(folder)
    shutil.rmtree(tmp_path / "m")
    rewrite(folder, answers={"choose": "exact", "tokens": 6, "extraction": "as_released"})
    planned = plan(folder)
    assert list(planned.missing()) == []
    assert sum(len(job.cells) for job in planned.unscored()) == planned.plan.n_cells == 2
    assert len(evaluate_all(folder).cells.done()) == 4


def test_the_command_scores_what_is_stored(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = Run.open(copy_run(finished_run(tmp_path_factory, "small"), tmp_path))
    before = {key: run.cells.items(key) for key in run.cells.done()}
    shutil.rmtree(run.cells.folder)
    result = call("score", run.folder)
    assert result.returncode == 0, result.stderr
    assert "24 cells scored" in result.stderr
    again = Run.open(run.folder)
    assert {key: again.cells.items(key) for key in again.cells.done()} == before
    assert "0 cells scored" in call("score", run.folder).stderr
