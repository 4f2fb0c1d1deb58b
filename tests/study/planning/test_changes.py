"""What changes in a half-finished run is reported with the cells affected, and can be undone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.models.pairs import zoo
from study.planning.changes import changes
from study.results.ledger import VERSION
from study.results.provenance import versions
from study.results.run import Run
from study.running.dispatch import dispatch
from tests.conftest import MakeRun, StudyCommand, command_environment, tables
from tests.in_process import InProcessExecutor, evaluate, evaluate_all, plan
from tests.study.task_files import write_tasks

ONE_PAIR = {"draws": 1, "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}]}
"A study of six cells."
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def _rewrite(folder: Path, **values: Any) -> None:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


def _resume(folder: Path) -> list[str]:
    """Evaluate what remains; returns the messages about changes that are shown before."""
    messages = list(changes(plan(folder)))
    evaluate_all(folder)
    return messages


def _done(folder: Path) -> set[str]:
    return Run.open(folder).cells.done()


def test_a_changed_study_file(make_run: MakeRun) -> None:
    folder = make_run(**ONE_PAIR)
    assert _resume(folder) == []
    before, finished = tables(folder), _done(folder)
    assert len(finished) == 6
    content = yaml.safe_load((folder / "study.yaml").read_text())
    contrast = {"name": "in-context", "x": "base-5shot", "y": "tuned-0shot"}
    arms = ["base-0shot", "base-5shot", "tuned-0shot"]
    _rewrite(folder, limit=8, arms=arms, contrasts=[contrast])
    recomputed, dropped = _resume(folder)
    assert "4 finished cells no longer fit the study and are recomputed" in recomputed
    assert "this changed: limit (4 cells)" in recomputed
    assert "2 finished cells are no longer part of the study" in dropped
    assert finished < _done(folder)

    _rewrite(folder, **content)
    assert not [event for event in evaluate(folder) if event.kind == "cell"]
    assert tables(folder) == before


@pytest.fixture
def own_task(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with a task whose data are in a file of the study's own."""
    # A file that is rewritten within a second would be read from the bytecode cache.
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return make_run(**{**ONE_PAIR, "limit": ..., **write_tasks(tmp_path / "tasks", ["fine"])})


def _change_data(folder: Path) -> None:
    code = folder.parent / "tasks" / "code.py"
    text = code.read_text()
    assert '["a", "b", "c"]' in text
    code.write_text(text.replace('["a", "b", "c"]', '["a", "b", "d"]'))


def test_changed_data(own_task: Path) -> None:
    assert _resume(own_task) == []
    _change_data(own_task)
    (message,) = _resume(own_task)
    assert "the items of fine (2 cells)" in message
    assert "the documents of fine (2 cells)" in message
    assert len(_done(own_task)) == 4


def test_data_that_change_between_planning_and_running(own_task: Path) -> None:
    """A job that waited in a queue does not score other items under the planned ones' key."""
    planned = plan(own_task)
    _change_data(own_task)
    events = list(dispatch(planned, InProcessExecutor(planned.resolved.run)))
    failed = [event for event in events if event.kind == "failed"]
    assert len(failed) == 2
    reasons = [event.reason for event in failed]
    assert all("the task's items changed since the study was planned" in r for r in reasons)
    assert not _done(own_task)


def test_code_of_a_metric_that_changes_between_planning_and_running(own_task: Path) -> None:
    """Scores by the new code are not stored under the key of the old one."""
    planned = plan(own_task)
    code = own_task.parent / "tasks" / "code.py"
    text = code.read_text()
    assert 'return {"acc": 1.0}' in text
    code.write_text(text.replace('return {"acc": 1.0}', 'return {"acc": 0.5}'))
    events = list(dispatch(planned, InProcessExecutor(planned.resolved.run)))
    reasons = [event.reason for event in events if event.kind == "failed"]
    assert len(reasons) == 2
    assert all("how the task is scored changed since the study was planned" in r for r in reasons)
    assert not _done(own_task)


def test_another_version_of_a_package(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detected from the metadata that Python itself reads."""
    folder = make_run(**ONE_PAIR)
    evaluate_all(folder)
    before = tables(folder)
    _rewrite(folder, draws=2)
    metadata = tmp_path / "site" / "lm_eval-9.9.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: lm_eval\nVersion: 9.9\n")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(metadata.parent.parent)
        versions.cache_clear()
        (message,) = _resume(folder)
    versions.cache_clear()
    assert "6 finished cells of 'llama-early-xs/base', 'llama-early-xs/tuned'" in message
    assert "lm_eval 0.4.13 (now 9.9)" in message
    assert "copy the study file to a new folder" in message
    _rewrite(folder, draws=1)
    evaluate_all(folder)
    assert tables(folder) == before


def test_an_unreadable_earlier_plan_is_reported(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "results").mkdir()
    (folder / "results" / "plan.json").write_text("{")
    (message,) = changes(plan(folder))
    assert "the earlier plan cannot be read, so changes are not reported" in message


@pytest.mark.slow
def test_clocks_that_jump(make_run: MakeRun, study_command: StudyCommand, tmp_path: Path) -> None:
    """A machine whose clock jumps back and forth by years, while it runs and between runs."""
    if not FAKETIME.exists():
        pytest.skip("no libfaketime here (Debian: apt install faketime)")
    undisturbed, folder = make_run("undisturbed", **ONE_PAIR), make_run("jumping", **ONE_PAIR)
    assert study_command("run", undisturbed).returncode == 0
    clock = tmp_path / "clock"
    environment = {
        **command_environment(tmp_path / "network-attempts"),
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    command = ["study", "run", str(folder)]
    clock.write_text("-3y")
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not _done(folder):
        assert process.poll() is None
    clock.write_text("+5y")
    while len(_done(folder)) < 3:
        assert process.poll() is None
    process.terminate()
    process.communicate()
    clock.write_text("-1d")
    result = subprocess.run(command, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr
    assert tables(folder) == tables(undisturbed)


def test_changed_files_of_a_model_are_named(make_run: MakeRun, tmp_path: Path) -> None:
    pair = zoo()[0]
    for role in ("base", "tuned"):
        shutil.copytree(pair.member(role).path, tmp_path / "mine" / role)
    models = {role: str(tmp_path / "mine" / role) for role in ("base", "tuned")}
    listed = {**models, "family": "f", "params_b": pair.params_b}
    folder = make_run(pairs=[listed], draws=1, limit=2)
    assert _resume(folder) == []
    for name, what in (
        ("tokenizer_config.json", "the tokenizer of mine/base (4 cells)"),
        ("generation_config.json", "the generation_config.json of mine/base (4 cells)"),
        ("config.json", "the weights of mine/base (4 cells)"),
    ):
        path = tmp_path / "mine" / "base" / name
        before = path.read_text() if path.exists() else None
        path.write_text((before or "{}") + " ")
        (message,) = changes(plan(folder))
        assert message.startswith("4 finished cells no longer fit the study and are recomputed, ")
        assert f"because this changed: {what}. The old cells are kept" in message
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
    assert list(changes(plan(folder))) == []


def test_the_most_frequent_cause_is_first_and_lost_cells_are_counted(make_run: MakeRun) -> None:
    """Another seed moves what has demonstrations, another number format everything."""
    folder = make_run(**ONE_PAIR)
    evaluate_all(folder)
    _rewrite(folder, seed=1, dtype="float32", tasks={"suite": "zoo_mc", "only": ["zoo_reverse_mc"]})
    recomputed, dropped = changes(plan(folder))
    assert recomputed.startswith("3 finished cells no longer fit the study")
    causes = "model.dtype (3 cells); the demonstrations of zoo_reverse_mc (1 cells)"
    assert f"because this changed: {causes}. The old cells" in recomputed
    assert dropped.startswith("3 finished cells are no longer part of the study")


def test_another_scale_of_a_metric_moves_scores_only(make_run: MakeRun) -> None:
    task = {"task": "zoo_colour_mc", "task_type": "t", "metric": "acc", "chance": 0.25}
    folder = make_run(**ONE_PAIR, tasks=[task])
    evaluate_all(folder)
    _rewrite(folder, tasks=[{**task, "scale": 0.5}])
    planned = plan(folder)
    (message,) = changes(planned)
    assert "because this changed: scorer.scale (3 cells)" in message
    unscored = [cell.key for job in planned.unscored() for cell in job.cells]
    assert len(unscored) == 3
    assert planned.n_done == 0


def test_cells_of_an_earlier_identity_are_counted_as_such(make_run: MakeRun) -> None:
    """A ledger of version 2 names cells whose keys hold less."""
    folder = make_run(**ONE_PAIR)
    evaluate_all(folder)
    path = folder / "results" / "plan.json"
    path.write_text(path.read_text().replace(f'"version": {VERSION}', '"version": 2'))
    (message,) = changes(plan(folder))
    assert message.startswith("6 finished cells have identity version 1, which does not hold")
    for key in _done(folder):
        Run.open(folder).cells.remove(key)
    assert list(changes(plan(folder))) == []
