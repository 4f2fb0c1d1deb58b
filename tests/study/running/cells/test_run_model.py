"""A model's job: loaded once, its cells evaluated, failures reported without stopping the rest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from study.models.pairs import zoo
from study.results.run import Run
from study.running.cells.run_model import ModelRunner
from tests.conftest import MakeRun, tables
from tests.finished_runs import remove_cell
from tests.in_process import evaluate, evaluate_all, plan

PAIR = zoo()[0]


def listed_pair(base: Path) -> list[dict[str, Any]]:
    return [{"base": str(base), "tuned": PAIR.tuned.path, "family": "f", "params_b": PAIR.params_b}]


@pytest.fixture
def base_copy(tmp_path: Path) -> Path:
    """A copy of a base model."""
    return Path(shutil.copytree(PAIR.base.path, tmp_path / "copied"))


def test_events_of_a_job(make_run: MakeRun) -> None:
    pairs = [{"source": "zoo", "pair": ["llama-early-xs"]}]
    planned = plan(make_run(pairs=pairs, draws=1, limit=4))
    run = planned.resolved.run
    passes: list[int] = []
    runner = ModelRunner(run, "cpu", on_pass=lambda: passes.append(1), start_seconds=1.5)
    base, _ = planned.plan.jobs
    events = list(runner.run_job(base))
    assert [event.kind for event in events] == ["loading", "loaded", *["cell"] * 4, "finished"]
    assert {event.model for event in events} == {"llama-early-xs/base"}
    assert [event.items for event in events if event.kind == "cell"] == [4] * 4
    assert [event.cell for event in events if event.kind == "cell"] == [
        cell.describe() for cell in base.cells
    ]
    assert run.cells.done() == {cell.key for cell in base.cells}
    assert passes
    (timings,) = (run.results / "throughput").iterdir()
    assert '"start_seconds": 1.5' in timings.read_text()
    # Cells that another run finished meanwhile are not evaluated again.
    again = list(runner.run_job(base))
    assert [event.items for event in again if event.kind == "cell"] == [0] * 4
    assert len(list((run.results / "throughput").iterdir())) == 1


def test_a_model_folder_that_vanishes_is_named(make_run: MakeRun, base_copy: Path) -> None:
    run = evaluate_all(make_run(pairs=listed_pair(base_copy), draws=1))
    undisturbed, cells = tables(run.folder), run.cells
    shutil.rmtree(base_copy)
    # What is finished needs no model, and stays valid.
    assert evaluate(run.folder) == []
    assert tables(run.folder) == undisturbed
    lost = next(key for key in cells.done() if cells.record(key)["model"].endswith("copied"))
    remove_cell(run, lost)
    finished = cells.done()
    (failure,) = (event for event in evaluate(run.folder) if event.kind == "failed")
    assert str(base_copy) in failure.failure()
    assert Run.open(run.folder).cells.done() == finished
    shutil.copytree(PAIR.base.path, base_copy)
    assert tables(evaluate_all(run.folder).folder) == undisturbed


def test_weights_that_changed_since_the_study_was_planned_are_not_evaluated(
    make_run: MakeRun, base_copy: Path
) -> None:
    planned = plan(make_run(pairs=listed_pair(base_copy), draws=1))
    shutil.copy(Path(zoo()[1].base.path) / "model.safetensors", base_copy)
    run = planned.resolved.run
    loading, failed = ModelRunner(run, "cpu").run_job(planned.plan.jobs[0])
    assert (loading.kind, failed.kind, failed.cell) == ("loading", "failed", "")
    assert "the weights changed since the study was planned" in failed.reason
    assert run.cells.done() == set()


def test_a_model_that_computes_nan_has_no_scores(make_run: MakeRun, base_copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = base_copy / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if "norm" in name)
    nan = {**weights, name: weights[name] * float("nan")}
    save_file(nan, path, metadata={"format": "pt"})
    shared = {"task_type": "knowledge", "chance": 0.0}
    folder = make_run(
        pairs=listed_pair(base_copy),
        tasks=[
            {"task": "zoo_colour_mc", "metric": "acc", **shared},
            {"task": "zoo_colour_gen", "metric": "exact_match,answer", **shared},
        ],
        draws=1,
    )
    failures = [event for event in evaluate(folder) if event.kind == "failed"]
    assert len(failures) == 4
    assert all("computes NaN" in event.failure() for event in failures)
    cells = Run.open(folder).cells
    assert {cells.record(key)["model"] for key in cells.done()} == {PAIR.tuned.name}


def test_a_results_folder_that_cannot_be_written_ends_the_job(make_run: MakeRun) -> None:
    planned = plan(make_run(draws=1))
    run = planned.resolved.run
    run.results.mkdir()
    (run.results / "cells").write_text("a file in the place of a folder")
    *_, failed = ModelRunner(run, "cpu").run_job(planned.plan.jobs[0])
    assert (failed.kind, failed.cell) == ("failed", "")
    assert "found Not a directory" in failed.reason
