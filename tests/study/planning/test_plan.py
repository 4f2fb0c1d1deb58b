"""Plans: jobs, skipped cells, and corrections of lm-eval's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from study.models.pairs import zoo
from tests.conftest import MakeRun
from tests.in_process import plan


def test_a_job_is_a_model_and_a_shared_base_is_evaluated_once(make_run: MakeRun) -> None:
    pair = zoo()[0]
    other = next(entry for entry in zoo()[1:] if entry.params_b == pair.params_b)
    shared = {"base": pair.base.path, "family": "f", "params_b": pair.params_b}
    folder = make_run(
        pairs=[
            {**shared, "tuned": pair.tuned.path, "name": "a"},
            {**shared, "tuned": other.tuned.path, "name": "b"},
        ]
    )
    planned = plan(folder)
    assert len(planned.plan.jobs) == 3
    assert len(planned.plan.rows) == 2 * 2 * (1 + 2 + 1)
    assert planned.plan.n_cells == 2 * (1 + 2) + 2 * 2
    assert len({cell.key for job in planned.plan.jobs for cell in job.cells}) == 10


def test_cells_beyond_the_shots_of_a_task_are_skipped(make_run: MakeRun) -> None:
    task = {"task": "zoo_colour_mc", "task_type": "t", "metric": "acc", "chance": 0.25}
    planned = plan(make_run(tasks=[{**task, "max_shots": 4}]))
    (skipped,) = planned.plan.skipped
    assert (skipped.arm, skipped.task) == ("base-5shot", "zoo_colour_mc")
    assert skipped.reason == "the task supports at most 4 demonstrations"
    assert {cell.arm.name for job in planned.plan.jobs for cell in job.cells} == {
        "base-0shot",
        "tuned-0shot-chat",
    }
    assert plan(make_run("enough", tasks=[{**task, "max_shots": 5}])).plan.skipped == ()


TASK: dict[str, Any] = {
    "dataset_path": "json",
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "{{text}}",
    "doc_to_choice": ["yes", "no"],
    "doc_to_target": "label",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
RULES: dict[str, dict[str, Any]] = {
    "fixes-zero": {"num_fewshot": 0, "training_split": "test"},
    "demonstrates-itself": {},
    "shares-split": {"fewshot_split": "test"},
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_of_lm_eval_that_would_leak_are_corrected(rule: str, make_run: MakeRun) -> None:
    listed = {"task": rule, "task_type": "t", "metric": "acc", "chance": 0.5}
    folder = make_run(tasks=[listed], task_folders=["tasks"])
    (folder / "tasks").mkdir()
    rows = [{"text": f"question {i}", "label": i % 2} for i in range(40)]
    data = folder / "tasks" / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"task": rule, **TASK, "dataset_kwargs": {"data_files": {"test": str(data)}}}
    (folder / "tasks" / "task.yaml").write_text(yaml.safe_dump({**config, **RULES[rule]}))
    result = plan(folder).plan
    if rule == "fixes-zero":
        assert result.corrections == ()
        (skipped,) = result.skipped
        assert skipped.arm == "base-5shot"
        assert "the task file fixes zero shots" in skipped.reason
    else:
        (correction,) = result.corrections
        assert result.skipped == ()
        assert correction.startswith(f"{rule}: lm-eval would draw")
        assert ("the item itself included" in correction) == (rule == "demonstrates-itself")
        assert "(split 'test')" in correction
        assert "reserved for demonstrations" in correction
