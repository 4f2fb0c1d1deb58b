"""A plan as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.hardware import default_devices
from study.planning import plan_report
from study.planning.cost.estimate import estimate
from study.planning.cost.throughput import ASSUMED, Speed, Timings, local_speed
from study.planning.plan_report import (
    _count,
    _duration,
    _notes,
    in_bytes,
    plan_json,
    plan_text,
)
from study.planning.plan_study import PlannedStudy
from study.tuning.identity import RECORD
from tests.conftest import MakeRun
from tests.finished_runs import copy_run, finished_run
from tests.in_process import plan
from tests.study.task_files import TUNING


def test_the_text_says_what_remains(make_run: MakeRun) -> None:
    text = plan_text(plan(make_run()))
    assert "trained by recipes" not in text
    lines = text.splitlines()
    assert lines[0] == "study small: 3 pairs from 3 families, 3 arms, 2 tasks, 2 draws"
    assert lines[1] == "24 cells in 6 jobs (one per model): 0 done, 24 remaining"
    assert lines[2] == ""
    assert lines[3].split() == ["model", "params_b", "cells", "done", "tokens", "left"]
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
    assert {speed["measured_jobs"] for speed in content["seconds"].values()} == {0}


def test_models_that_the_study_trains_are_counted(make_run: MakeRun) -> None:
    arms = ["base-0shot", "tuned-0shot-chat"]
    contrasts = [{"name": "c", "x": arms[0], "y": arms[1]}]
    planned = plan(make_run(pairs=..., tuning=TUNING, arms=arms, contrasts=contrasts))
    models = planned.resolved.tuned
    assert len(models) == 2
    assert "2 models are trained by recipes, 2 remaining" in plan_text(planned)
    assert plan_json(planned)["to_tune"] == [ref.name for ref in models]
    trained, remaining = models
    models[trained].folder.mkdir(parents=True)
    (models[trained].folder / RECORD).touch()
    assert "2 models are trained by recipes, 1 remaining" in plan_text(planned)
    assert plan_json(planned)["to_tune"] == [remaining.name]


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


def test_json_is_the_estimate_of_every_job(make_run: MakeRun) -> None:
    planned = plan(make_run())
    content = plan_json(planned)
    remaining = estimate(planned.resolved, planned.plan, frozenset())
    assert content["pairs"] == [pair.name for pair in planned.resolved.pairs]
    assert content["arms"] == ["base-0shot", "base-5shot", "tuned-0shot-chat"]
    assert content["tasks"] == ["zoo_colour_mc", "zoo_reverse_mc"]
    assert content["to_tune"] == []
    assert content["remaining"]["memory_bytes"] == remaining.memory
    assert content["remaining"]["tokens"] == remaining.work.tokens
    for job, entry in zip(content["jobs"], remaining.jobs, strict=True):
        assert job["model"] == entry.job.model.name
        assert job["params_b"] == entry.job.params_b
        assert (job["weight_bytes"], job["remaining"]) == (entry.weights, vars(entry.work))
        assert job["done"] == 0
        assert job["seconds"] == {
            device: entry.seconds(speed) for device, speed in speeds(planned).items()
        }
    for device, speed in speeds(planned).items():
        seconds = content["seconds"][device]
        assert seconds["one_device"] == remaining.device_seconds(speed)
        is_local = seconds["here"] is not None
        assert is_local == (not device.startswith("cuda"))
        if is_local:
            assert seconds["here"] == remaining.seconds(speed, content["devices"])


def speeds(planned: PlannedStudy) -> dict[str, Speed]:
    """The assumed speeds of this machine and of a GPU."""
    local = local_speed(planned.resolved.run, default_devices())
    return {speed.device: speed for speed in (local, ASSUMED["cuda"])}


def test_speeds_measured_elsewhere_are_in_the_plan(make_run: MakeRun) -> None:
    folder = make_run()
    for device, number in (("cuda H100 auto", 1), ("cpu other 1 thread", 2)):
        timings = Timings(device, 1.0)
        timings.add("base-0shot", 2.0, requests=1, prompt_tokens=1, flops=1.0)
        for _ in range(number):
            timings.write(folder / "results", "m")
    lines = [line for line in plan_text(plan(folder)).splitlines() if line.startswith("time:")]
    assert len(lines) == 3
    assert "on this machine" in lines[0]
    assert any("GPU hours (cuda H100 auto; measured on 1 jobs)" in line for line in lines)
    (other,) = [line for line in lines if "hours of one worker" in line]
    assert other.endswith("(cpu other 1 thread; measured on 2 jobs)")
    assert not any("one H100; assumed" in line for line in lines)


def test_long_lists_are_cut_in_the_text(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(make_run())
    monkeypatch.setattr(plan_report, "MAX_JOBS", 4)
    text = plan_text(planned)
    assert "… and 2 more models (--json lists all)" in text
    assert sum("/base " in line or "/tuned " in line for line in text.splitlines()) == 4
    monkeypatch.setattr(plan_report, "MAX_JOBS", 6)
    assert "more models" not in plan_text(planned)
    assert _notes("skipped", []) == []
    notes = _notes("skipped", [f"note {i}" for i in range(14)])
    assert notes[:3] == ["", "skipped (14):", "  note 0"]
    assert notes[-1] == "  … and 2 more (--json lists all)"
    assert len(notes) == 2 + 12 + 1
    assert len(_notes("skipped", ["a"] * 12)) == 2 + 12


@pytest.mark.parametrize(
    ("number", "count", "size"),
    [
        (0, "0", "0 bytes"),
        (999, "999", "999 bytes"),
        (1000, "1 k", "1 kB"),
        (1_234_000, "1.23 M", "1.23 MB"),
        (5e9, "5 G", "5 GB"),
        (7.5e12, "7.5 T", "7.5 TB"),
    ],
)
def test_numbers_have_three_digits_and_a_unit(number: float, count: str, size: str) -> None:
    assert _count(number) == count
    assert in_bytes(number) == size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "59 seconds"),
        (60, "1 minutes"),
        (5400, "1.5 hours"),
        (86400, "1 days"),
        (3599, "60 minutes"),
    ],
)
def test_durations_have_three_digits_and_a_unit(seconds: float, text: str) -> None:
    assert _duration(seconds) == text
