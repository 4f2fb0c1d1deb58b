"""A plan as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.planning.plan_report import plan_json, plan_text
from tests.conftest import MakeRun
from tests.finished_runs import copy_run, finished_run
from tests.in_process import plan


def test_the_text_says_what_remains(make_run: MakeRun) -> None:
    text = plan_text(plan(make_run()))
    lines = text.splitlines()
    assert lines[0] == "study small: 3 pairs from 3 families, 3 arms, 2 tasks, 2 draws"
    assert lines[1] == "24 cells in 6 jobs (one per model): 0 done, 24 remaining"
    for model in ("llama-early-xs/base", "olmo2-late-xs/tuned"):
        assert sum(line.startswith(model) for line in lines) == 1
    assert "assumed speed, none measured" in text
    assert "GPU hours" in text


def test_json_has_everything_in_full(make_run: MakeRun) -> None:
    content = json.loads(json.dumps(plan_json(plan(make_run()))))
    assert content["study"] == "small"
    assert (content["cells"], content["done"]) == (24, 0)
    assert content["remaining"]["cells"] == 24
    assert sum(job["cells"] for job in content["jobs"]) == 24
    assert content["missing"] == content["skipped"] == content["corrected"] == []
    assert content["remaining"]["disk_bytes"] > 24 * 5000


def test_a_finished_run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = copy_run(finished_run(tmp_path_factory, "small"), tmp_path)
    planned = plan(folder)
    assert "24 done, 0 remaining" in plan_text(planned)
    content = plan_json(planned)
    assert (content["done"], content["remaining"]["cells"], content["remaining"]["flops"]) == (
        24,
        0,
        0,
    )


def test_skipped_corrected_and_missing_are_listed(make_run: MakeRun) -> None:
    pair = {"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 1.0}
    task = {"task": "zoo_colour_mc", "task_type": "t", "metric": "acc", "chance": 0.25}
    text = plan_text(plan(make_run(pairs=[pair], tasks=[{**task, "max_shots": 1}])))
    assert "base-5shot on zoo_colour_mc: the task supports at most 1 demonstrations" in text
    assert "not available on this machine, so not run" in text
    assert "a/b: found neither a folder nor a model in the hub's local cache" in text
