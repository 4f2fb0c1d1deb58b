"""From a plan to finished cells; what fails is reported and does not stop the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis.data.scores import load_scores
from study.errors import StudyError
from study.models.pairs import zoo
from study.planning.plan_study import PlannedStudy
from study.processes import ProcessIdentity
from study.results.cell_store.maintenance import compact
from study.results.run import Run
from study.running.dispatch import dispatch, training_jobs
from tests.conftest import MakeRun
from tests.in_process import InProcessExecutor, evaluate, plan
from tests.study.commands import call
from tests.study.task_files import TUNING


def test_cells_are_what_was_planned(small: Run) -> None:
    planned = plan(small.folder)
    assert planned.plan.n_cells == 3 * 2 * (1 + 2 + 1)
    assert planned.n_done == planned.plan.n_cells
    scores = load_scores(small)
    assert len(scores) == planned.plan.n_cells
    assert scores["n_items"].eq(12).all()
    five = scores["arm"] == "base-5shot"
    assert sorted(scores.loc[five, "draw"].unique()) == [0, 1]
    assert scores.loc[~five, "draw"].isna().all()


def test_a_second_run_computes_nothing(copied: Run) -> None:
    cells = copied.results / "cells"
    before = {path.name: path.stat().st_mtime_ns for path in cells.iterdir()}
    result = call("run", copied.folder)
    assert result.returncode == 0
    assert "computed" not in result.stderr
    assert "24 cells of 6 models: 0 remaining" in result.stderr
    assert {path.name: path.stat().st_mtime_ns for path in cells.iterdir()} == before


def test_corrupted_cells_are_reported_by_the_command_and_recomputed(copied: Run) -> None:
    corrupted = copied.cells.files(min(copied.cells.done()))["parquet"]
    corrupted_content = corrupted.read_bytes()[:-9]
    corrupted.write_bytes(corrupted_content)
    me = ProcessIdentity.current()
    killed = f"{me.host}.{me.boot}.{me.namespace}.{me.pid}.1"
    left_behind = corrupted.with_name(f".writing.{killed}.0")
    left_behind.write_text("half of")
    result = call("run", copied.folder)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    (line,) = (line for line in lines if line.startswith("corrupted files found; recomputing: "))
    assert str(corrupted) in line
    aside = line.rpartition(" Moved to ")[2]
    assert (Path(aside) / corrupted.name).read_bytes() == corrupted_content
    assert "24 cells of 6 models: 1 remaining" in result.stderr
    assert "1 cells computed, 12 items in" in result.stderr
    assert len(copied.cells.done()) == 24
    assert not left_behind.exists(), "what a killed process left is deleted"


def test_a_pack_that_cannot_be_read_stops_the_command_and_stays(copied: Run) -> None:
    """A disk that fails, a stale mount and another user's permissions are not corruption."""
    compact(copied.cells)
    (path,) = (copied.results / "packs").glob("*/cells")
    content = path.read_bytes()
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading it fails
    result = call("run", copied.folder)
    assert result.returncode == 2
    first, line = result.stderr.splitlines()
    assert first.startswith("reading ")
    assert f"{path}: found Input/output error; expected a file or folder that can be read" in line
    assert not (copied.results / "corrupted").exists()
    path.unlink()
    path.write_bytes(content)
    assert len(copied.cells.done()) == 24
    assert list(copied.cells.bundles.corrupted()) == []


def test_a_higher_limit_keeps_the_demonstrations(small: Run, make_run: MakeRun) -> None:
    longer, shorter = plan(make_run("longer", limit=13)), plan(small.folder)

    def demonstrations(planned: PlannedStudy) -> set[str]:
        identities = [cell.identity for _, _, cell in planned.plan.rows]
        return {
            identity["responses"]["prompts"]["demonstrations"]
            for identity in identities
            if identity
        }

    assert demonstrations(longer) == demonstrations(shorter)
    keys = {cell.key for _, _, cell in longer.plan.rows}
    assert not keys & {cell.key for _, _, cell in shorter.plan.rows}


def test_what_fails_is_reported_and_does_not_stop_the_rest(
    make_run: MakeRun, tmp_path: Path
) -> None:
    pair = zoo()[0]
    broken = Path(shutil.copytree(pair.base.path, tmp_path / "broken"))
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    pickled = Path(shutil.copytree(pair.base.path, tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    shared = {"tuned": pair.tuned.path, "family": "f", "params_b": pair.params_b}
    folder = make_run(
        pairs=[
            {"base": pair.base.path, "name": "whole", **shared},
            {"base": str(broken), "name": "broken", **shared},
            {"base": str(pickled), "name": "pickled", **shared},
            {"base": "nobody/nothing", "name": "absent", **shared},
        ],
        arms=["base-0shot", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
    )
    failures = [event.failure() for event in evaluate(folder) if event.kind == "failed"]
    assert len(failures) == 3
    assert any("broken" in line and "a whole safetensors file" in line for line in failures)
    assert any("only in a pickle file" in line for line in failures)
    assert any("nobody/nothing" in line and "study stage" in line for line in failures)
    scores = load_scores(Run.open(folder))
    assert set(scores.loc[scores["role"] == "base", "pair"]) == {"whole"}
    # What is left cannot be run: the command says so, with exit code 1.
    shutil.rmtree(broken)
    result = call("run", folder)
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert len(lines) == 3
    assert "3 failed; fix these problems, then run the same command again" in result.stderr


class RefusingExecutor(InProcessExecutor):
    """An executor that could not run anything."""

    def prepare(self, planned: PlannedStudy) -> None:
        raise StudyError("here", found="nothing", expected="a machine")


def test_nothing_is_written_if_the_executor_refuses(make_run: MakeRun) -> None:
    planned = plan(make_run())
    with pytest.raises(StudyError, match="expected a machine"):
        dispatch(planned, RefusingExecutor(planned.resolved.run))
    assert not planned.resolved.run.results.exists()


def test_the_ledger_is_written_before_the_first_event(make_run: MakeRun) -> None:
    planned = plan(make_run())
    run = planned.resolved.run
    events = dispatch(planned, InProcessExecutor(run))
    assert len(run.ledger.rows) == 24
    assert next(events).kind == "loading"


def test_training_jobs_are_of_the_models_still_to_be_tuned(make_run: MakeRun) -> None:
    planned = plan(
        make_run(
            pairs=...,
            tuning=TUNING,
            arms=["base-0shot", "tuned-0shot-chat"],
            contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
        )
    )
    jobs = training_jobs(planned)
    assert {job.model for job in jobs} == set(planned.resolved.tuned)
    for job in jobs:
        assert job.cells == ()
        assert job.tuned is not None
        assert job.model.tuned_here
    with pytest.raises(StudyError, match=r"tuning\.recipes: found none; expected recipes"):
        training_jobs(plan(make_run("other")))
