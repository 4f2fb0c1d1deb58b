"""Estimates against what then happens, and against a reckoning by hand."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from study.models.pairs import ModelRef
from study.planning.cost.estimate import Estimate, JobLeft, estimate
from study.planning.cost.throughput import FASTEST, FEATURES, Speed, Timings, measured_speeds
from study.planning.cost.workload import Work
from study.planning.plan import Job
from study.planning.plan_study import planned
from study.results.cell_store.store import Cells

MakeRun = Callable[..., Path]
Command = Callable[..., subprocess.CompletedProcess[str]]


def test_work_is_what_a_run_then_measures(make_run: MakeRun, study_command: Command) -> None:
    """Tokens of prompts, and those of them that are computed, with and without template, of choices
    and of generated answers."""
    shared = {"task_type": "knowledge", "chance": 0.0}
    run = make_run(
        arms=["base-0shot", "base-5shot", "tuned-0shot-chat", "tuned-5shot-chat"],
        tasks=[
            {"task": "zoo_colour_mc", "metric": "acc", **shared},
            {"task": "zoo_lookup_mc", "metric": "acc", **shared},
            {"task": "zoo_colour_gen", "metric": "exact_match,answer", **shared},
        ],
        limit=100,
    )
    state = planned(run)
    left = estimate(state.resolved, state.plan, frozenset())
    assert study_command("run", run).returncode == 0
    files = (run / "results" / "throughput").glob("*.json")
    seen = [Timings(**json.loads(path.read_text())) for path in files]
    sums = {name: sum(a[name] for t in seen for a in t.arms.values()) for name in FEATURES}
    work = left.work
    assert sums["cells"] == work.cells == len(Cells(run).done())
    assert sums["requests"] == work.requests
    assert work.prompt_tokens == pytest.approx(sums["prompt_tokens"], rel=0.05)
    assert work.flops == pytest.approx(sums["flops"], rel=0.2)
    assert work.assumed == 0
    assert sum(t.start_seconds is not None for t in seen) in (1, 2)
    finished = estimate(state.resolved, state.plan, frozenset(Cells(run).done()))
    assert finished.work == Work()
    # What was measured is used by the next plan, of this run and of those beside it.
    beside = make_run("beside")
    (speed,) = measured_speeds(beside).values()
    assert speed.jobs == len(seen)
    assert "measured on" in study_command("plan", beside).stdout
    # Its parts add up to about what cells took, which they were fitted to by relative errors.
    took = sum(a["seconds"] for t in seen for a in t.arms.values())
    said = sum(n * part for n, part in zip(sums.values(), speed.cell, strict=True))
    assert 0.5 < said / took < 2
    disk = sum(file.stat().st_size for file in Cells(run).folder.iterdir())
    assert left.disk == pytest.approx(disk, rel=0.5)


def test_data_that_is_not_here_is_estimated_and_said_to_be(make_run: MakeRun) -> None:
    run = make_run(
        pairs=[{"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 8}],
        tasks=[{"task": "piqa", "task_type": "t", "metric": "acc", "chance": 0.5, "items": 50,
                "tokens": 100}],
        limit=...,
    )  # fmt: skip
    state = planned(run)
    work = estimate(state.resolved, state.plan, frozenset()).work
    assert work.cells == work.assumed == 1 + 2 + 1
    assert work.items == 4 * 50
    assert work.flops == pytest.approx(2 * 8e9 * work.tokens)


SPEED = Speed("cpu by hand", 1, start=10, load=(1, 0), render=0.5, cell=(1, 0, 0, 0))


def job_left(cells: int, rendered: float = 0) -> JobLeft:
    return JobLeft(Job(ModelRef("m"), 1.0, ()), Work(cells=cells), 0.0, rendered)


def test_time_is_that_of_the_busiest_worker() -> None:
    jobs = tuple(job_left(cells) for cells in (3, 5, 7, 0))
    assert Estimate(jobs, 0).seconds(SPEED, 1) == 10 + 4 + 6 + 8
    assert Estimate(jobs, 0).seconds(SPEED, 2) == 10 + 4 + 6
    assert Estimate(jobs, 0).seconds(SPEED, 9) == 10 + 8
    assert Estimate((job_left(0),), 0).seconds(SPEED, 2) == 0
    assert Estimate(jobs, 0).device_seconds(SPEED) == 4 + 6 + 8
    assert Estimate(jobs, 0).longest_first(SPEED) == [jobs[i].job for i in (2, 1, 0, 3)]
    large = replace(jobs[2], weights=141e9)
    assert Estimate((large,), 0).device_seconds(replace(SPEED, device="cuda H100")) == 2 * 8


def test_prompts_are_rendered_once_by_each_worker_unless_there_are_too_many() -> None:
    few = tuple(job_left(1, rendered=10) for _ in range(4))
    assert Estimate(few, distinct=10).seconds(SPEED, 2) == 10 + 4 + 5
    many = tuple(job_left(1, rendered=200_000) for _ in range(4))
    assert Estimate(many, distinct=200_000).seconds(SPEED, 2) == 10 + 4 + 0.5 * 400_000


def observations(run: Path, true: dict[str, float], requests: Callable[[int], float]) -> None:
    for number in range(1, 9):
        size = 10 ** (number + 3)
        timings = Timings("cpu by hand", 5.0, size, 0.3 + 1e-9 * size, 100, 0.2)
        for arm, prompts in (("base-0shot", 20.0), ("base-5shot", 90.0 + 7 * number)):
            sums = {"cells": 15.0, "requests": requests(number),
                    "prompt_tokens": requests(number) * prompts,
                    "flops": 10.0 ** (8 + number / 2)}  # fmt: skip
            seconds = sum(true[name] * value for name, value in sums.items())
            timings.arms[arm] = {**sums, "seconds": seconds}
        timings.write(run, f"model-{number}")


TRUE = {"cells": 0.02, "requests": 8e-5, "prompt_tokens": 2e-6, "flops": 5e-11}
LARGER = {"cells": 300.0, "requests": 4e5, "prompt_tokens": 4e7, "flops": 1e12}


@pytest.mark.parametrize("sizes", ["many", "one"])
def test_what_was_measured_foretells_another_study(sizes: str, tmp_path: Path) -> None:
    """Also where all cells that were seen were of one size, so that nothing seen tells a cell's
    time from its requests'."""
    observations(tmp_path / "run", TRUE, lambda i: 600.0 * i**2 if sizes == "many" else 3600.0)
    (speed,) = measured_speeds(tmp_path / "other").values()
    said = sum(LARGER[name] * part for name, part in zip(FEATURES, speed.cell, strict=True))
    true = sum(LARGER[name] * TRUE[name] for name in FEATURES)
    assert said == pytest.approx(true, rel=0.05 if sizes == "many" else 0.15)
    assert speed.load == pytest.approx((0.3, 1e-9), rel=0.1)
    assert (speed.start, speed.render, speed.jobs) == (5.0, pytest.approx(0.002), 8)


@pytest.mark.gpu
def test_a_gpus_speed_is_its_own(make_run: MakeRun, study_command: Command) -> None:
    run = make_run()
    assert study_command("run", run, "--device", "cuda:0").returncode == 0
    (speed,) = measured_speeds(run).values()
    assert speed.device.startswith("cuda ")
    assert speed.cell[-1] >= 1 / FASTEST["cuda"]
