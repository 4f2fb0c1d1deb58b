"""Resolving a study: names that the file uses wrongly are errors, missing data are reasons."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.models.pairs import ModelRef, zoo
from study.models.weights import ModelFacts
from study.planning.resolving.resolve_study import resolve_study
from study.planning.resolving.resolved_study import ResolvedStudy
from study.planning.staging import stage
from study.results.run import Run
from study.tasks.items import TaskItems
from tests.conftest import MakeRun
from tests.study.planning.cost.test_workload import UNAVAILABLE


def _listed(**changes: Any) -> list[dict[str, Any]]:
    task = {"task": "zoo_colour_mc", "task_type": "a", "metric": "acc", "chance": 0.25}
    return [{**task, **changes}]


def _resolved(folder: Path) -> ResolvedStudy:
    return resolve_study(Run.open(folder))


def test_everything_is_looked_up(make_run: MakeRun) -> None:
    steps: list[str] = []
    resolved = resolve_study(Run.open(make_run()), on_step=steps.append)
    assert [pair.name for pair in resolved.pairs] == [
        pair.name
        for pair in zoo()
        if pair.name in ("llama-early-xs", "neox-late-xs", "olmo2-late-xs")
    ]
    assert len(resolved.models) == 6
    assert all(isinstance(facts, ModelFacts) for facts in resolved.models.values())
    assert set(resolved.items) == {"zoo_colour_mc", "zoo_reverse_mc"}
    assert resolved.loaded["zoo_colour_mc"].OUTPUT_TYPE == "multiple_choice"
    assert all(isinstance(items, TaskItems) for items in resolved.items.values())
    assert resolved.scorer is None
    assert steps[-1] == "reading the items of 2 tasks"


def test_a_metric_that_the_task_lacks(make_run: MakeRun) -> None:
    with pytest.raises(
        StudyError, match=r"zoo_colour_mc: metric: found 'accuracy'; expected.* acc"
    ):
        _resolved(make_run(tasks=_listed(metric="accuracy")))


def test_a_passage_that_the_documents_lack(make_run: MakeRun) -> None:
    with pytest.raises(
        StudyError, match=r"zoo_colour_mc: passage: found 'golden'; expected.*'gold'.*mean 'gold'"
    ):
        _resolved(make_run(tasks=_listed(passage="golden")))


def test_a_task_folder_that_does_not_exist(make_run: MakeRun) -> None:
    with pytest.raises(StudyError, match=r"task_folders\[0\]: found 'nowhere'"):
        _resolved(make_run(task_folders=["nowhere"]))


def test_the_scorer_replaces_metric_and_chance(make_run: MakeRun) -> None:
    """And the scale: a scorer's numbers are fractions, whatever those of the task's metric are."""
    tasks = _listed(chance=0.5, scale=100)
    resolved = _resolved(make_run(layout="zoo", tasks=tasks, answers={"choose": "similarity"}))
    assert resolved.scorer is not None
    (task,) = resolved.tasks
    assert (task.metric, task.chance, task.scale) == ("answer_similarity", 0.25, 1.0)


def test_a_scorer_that_needs_options_refuses_a_task_without(make_run: MakeRun) -> None:
    task = {"task": "zoo_colour_gen", "metric": "exact_match,answer", "chance": 0}
    folder = make_run(layout="zoo", answers={"choose": "similarity"}, tasks=_listed(**task))
    with pytest.raises(StudyError, match=r"zoo_colour_gen: options: found no options"):
        _resolved(folder)


THINKING: dict[str, Any] = {"name": "tuned-0shot-chat-thinking", "thinking_tokens": 8}
WITH_THINKING: dict[str, Any] = {
    "layout": "zoo",
    "arms": ["base-0shot", THINKING],
    "contrasts": [{"name": "c", "x": "base-0shot", "y": THINKING["name"]}],
}


@pytest.mark.parametrize("task", ["zoo_colour_mc", "unavailable"])
def test_choices_compared_by_their_log_likelihood_have_no_thinking_arm(
    make_run: MakeRun, task: str
) -> None:
    """Whether the data are on this machine or not."""
    folder = make_run(task_folders=["tasks"], tasks=_listed(task=task), **WITH_THINKING)
    (folder / "tasks").mkdir()
    (folder / "tasks" / "task.yaml").write_text(UNAVAILABLE)
    with pytest.raises(StudyError, match=f"arms: found {THINKING['name']}, a thinking.* {task},"):
        _resolved(folder)


def test_generated_responses_may_be_thought_before(make_run: MakeRun) -> None:
    generated = _listed(task="zoo_colour_gen", metric="exact_match,answer")
    assert _resolved(make_run("generated", tasks=generated, **WITH_THINKING)).tasks
    chosen = make_run("chosen", answers={"choose": "similarity"}, **WITH_THINKING)
    assert _resolved(chosen).tasks


def test_models_that_are_not_available_have_a_reason(make_run: MakeRun) -> None:
    pair = {"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 1.0}
    resolved = _resolved(make_run(pairs=[pair]))
    reason = resolved.models[ModelRef("a/b")]
    assert isinstance(reason, str)
    assert reason.startswith("a/b: found neither a folder nor a model in the hub's local cache")


def test_models_and_items_that_differ_from_the_lock_have_a_reason(
    make_run: MakeRun, tmp_path: Path
) -> None:
    base = tmp_path / "models" / "base"
    shutil.copytree(zoo()[0].base.path, base)
    tuned, params_b = zoo()[0].tuned.path, zoo()[0].params_b
    pair = {"base": str(base), "tuned": tuned, "family": "f", "params_b": params_b}
    run = Run.open(make_run(pairs=[pair]))
    assert stage(run, lambda message: None) == []
    text = run.lock_file.read_text()
    items = run.lock.tasks["zoo_colour_mc"].items
    run.lock_file.write_text(text.replace(items, "0" * 64))
    tokenizer = base / "tokenizer_config.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    resolved = _resolved(run.folder)
    model, task = resolved.models[ModelRef(str(base))], resolved.items["zoo_colour_mc"]
    assert "found a tokenizer other than when the study was staged" in str(model)
    assert "found items other than when the study was staged" in str(task)
    assert f"study stage {run.folder}" in str(task)
    assert isinstance(resolved.items["zoo_reverse_mc"], TaskItems)
