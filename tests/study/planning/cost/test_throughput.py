"""Speeds fitted to timings: they predict a study of another size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from study.errors import StudyError
from study.hardware import device_kind, split_cores
from study.planning.cost.throughput import (
    ASSUMED,
    FEATURES,
    MAX_FLOPS,
    Timings,
    _non_negative_least_squares,
    local_speed,
    measured_speeds,
)
from study.results.run import Run
from tests.conftest import MakeRun, StudyCommand

TRUE = {"cells": 0.02, "requests": 8e-5, "prompt_tokens": 2e-6, "flops": 5e-11}
"Seconds for each part of the work of the simulated device."
LARGER = {"cells": 300.0, "requests": 4e5, "prompt_tokens": 4e7, "flops": 1e12}
"The work of another study."


def _write_timings(folder: Path, requests: Callable[[int], float]) -> None:
    """Timings of eight jobs on a device with the speed `TRUE`."""
    for number in range(1, 9):
        size = 10 ** (number + 3)
        timings = Timings("cpu by hand", 5.0, size, 0.3 + 1e-9 * size, 100, 0.2)
        for arm, prompts in (("base-0shot", 20.0), ("base-5shot", 90.0 + 7 * number)):
            sums = {
                "cells": 15.0,
                "requests": requests(number),
                "prompt_tokens": requests(number) * prompts,
                "flops": 10.0 ** (8 + number / 2),
            }
            seconds = sum(TRUE[name] * value for name, value in sums.items())
            timings.arms[arm] = {**sums, "seconds": seconds}
        timings.write(folder / "results", f"model-{number}")


@pytest.mark.parametrize("sizes", ["many", "one"])
def test_measured_speeds_predict_another_study(sizes: str, make_run: MakeRun) -> None:
    """Also if all observed cells have one size, so that the observations cannot separate the time
    of a cell from that of its requests."""
    measured, other = make_run("measured"), make_run("other")
    _write_timings(measured, lambda i: 600.0 * i**2 if sizes == "many" else 3600.0)
    (speed,) = measured_speeds(Run.open(other)).values()
    predicted = sum(LARGER[name] * part for name, part in zip(FEATURES, speed.cell, strict=True))
    true = sum(LARGER[name] * TRUE[name] for name in FEATURES)
    assert predicted == pytest.approx(true, rel=0.05 if sizes == "many" else 0.15)
    assert speed.load == pytest.approx((0.3, 1e-9), rel=0.1)
    assert speed.render == pytest.approx(0.002)
    assert (speed.start, speed.jobs) == (5.0, 8)


def test_without_measurements_a_speed_is_assumed(make_run: MakeRun) -> None:
    run = Run.open(make_run())
    assert measured_speeds(run) == {}
    assert local_speed(run, ["cpu"]) == ASSUMED["cpu"]
    assert {speed.jobs for speed in ASSUMED.values()} == {0}, "none says that it was measured"


def test_timings_sum_the_cells_of_an_arm(tmp_path: Path) -> None:
    timings = Timings("cpu by hand")
    timings.write(tmp_path, "m")
    assert not list(tmp_path.rglob("*.json")), "a job without cells leaves no file"
    timings.add("base-0shot", 2.0, requests=10, prompt_tokens=50, flops=1e6)
    timings.add("base-0shot", 3.0, requests=20, prompt_tokens=70, flops=2e6)
    assert timings.arms["base-0shot"] == {
        "cells": 2.0,
        "requests": 30.0,
        "prompt_tokens": 120.0,
        "flops": 3e6,
        "seconds": 5.0,
    }
    timings.finish()
    assert timings.other_seconds == 0.0, "cells took longer than the job"


def test_a_corrupted_file_of_timings_is_named(make_run: MakeRun) -> None:
    folder = make_run()
    path = folder / "results" / "throughput" / "m.1.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(StudyError, match=r"m\.1\.json: found no timings.*Delete the file"):
        measured_speeds(Run.open(folder))


@pytest.mark.gpu
def test_the_speed_of_a_gpu_is_separate(make_run: MakeRun, study_command: StudyCommand) -> None:
    folder = make_run()
    assert study_command("run", folder, "--device", "cuda:0").returncode == 0
    (speed,) = measured_speeds(Run.open(folder)).values()
    assert speed.device.startswith("cuda ")
    assert speed.cell[-1] >= 1 / MAX_FLOPS["cuda"]


def test_speeds_of_devices_and_runs_are_kept_apart(make_run: MakeRun) -> None:
    one, two = make_run("one"), make_run("two")
    sums = {"cells": 1.0, "requests": 10.0, "prompt_tokens": 100.0, "flops": 1e6, "seconds": 2.0}
    for folder, device, start in ((one, "cpu a", 3.0), (two, "cpu a", 5.0), (two, "cpu b", None)):
        timings = Timings(device, start, 10, 0.5, 0, 0.0, {"base-0shot": sums})
        timings.write(folder / "results", f"m/{start}")
    speeds = measured_speeds(Run.open(one))
    assert set(speeds) == {"cpu a", "cpu b"}
    assert (speeds["cpu a"].jobs, speeds["cpu a"].start) == (2, 4.0)
    assert (speeds["cpu b"].jobs, speeds["cpu b"].start) == (1, ASSUMED["cpu"].start)
    assert speeds["cpu b"].render == ASSUMED["cpu"].render, "nothing was rendered"
    assert speeds["cpu b"].device == "cpu b"


def test_observations_that_say_nothing_about_arithmetic_leave_what_hardware_allows(
    make_run: MakeRun,
) -> None:
    folder = make_run()
    for seconds in (1.0, 1.0):
        timings = Timings("cpu by hand", None, 0, 1.0)
        timings.add("base-0shot", seconds, requests=1e5, prompt_tokens=1e6, flops=1.0)
        timings.write(folder / "results", f"m{seconds}")
    (speed,) = measured_speeds(Run.open(folder)).values()
    assert speed.cell[3] >= 1 / MAX_FLOPS["cpu"]
    assert min(speed.cell) >= 0


def test_loading_and_what_is_left_of_a_job_are_fitted_together(make_run: MakeRun) -> None:
    folder = make_run()
    for number in range(1, 7):
        size = number * 10**9
        timings = Timings("cpu by hand", None, size, 1.0 + 2e-9 * size, other_seconds=0.5)
        timings.add("base-0shot", 1.0, requests=1, prompt_tokens=1, flops=1.0)
        timings.write(folder / "results", f"m{number}")
    (speed,) = measured_speeds(Run.open(folder)).values()
    assert speed.load == pytest.approx((1.5, 2e-9), rel=0.05)


def test_seconds_of_a_job_that_are_in_no_part_are_other_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timings = Timings("cpu by hand", began=100.0, load_seconds=2.0, render_seconds=3.0)
    timings.add("base-0shot", 4.0, requests=1, prompt_tokens=1, flops=1.0)
    timings.add("base-5shot", 5.0, requests=1, prompt_tokens=1, flops=1.0)
    monkeypatch.setattr("time.perf_counter", lambda: 120.0)
    timings.finish()
    assert timings.other_seconds == 20.0 - 14.0
    idle = Timings("cpu by hand", began=100.0)
    idle.finish()
    assert idle.other_seconds == 20.0
    assert (idle.start_seconds, idle.load_bytes, idle.rendered) == (None, 0, 0)


def test_the_speed_here_is_that_of_this_kind_of_device(make_run: MakeRun) -> None:
    folder = make_run()
    run = Run.open(folder)
    kind = device_kind("cpu", "auto", len(split_cores(1)[0]))
    timings = Timings(kind, 7.0)
    timings.add("base-0shot", 1.0, requests=1, prompt_tokens=1, flops=1.0)
    timings.write(folder / "results", "m")
    assert local_speed(run, ["cpu"]).start == 7.0
    timings.device = f"{kind} of another machine"
    timings.write(make_run("beside") / "results", "m")
    assert local_speed(run, ["cpu"]).jobs == 1


def test_what_is_no_timing_is_an_error(make_run: MakeRun) -> None:
    folder = make_run()
    path = folder / "results" / "throughput" / "m.1.json"
    path.parent.mkdir(parents=True)
    for content in ('{"device": "cpu", "colour": "red"}', "[]", '"text"'):
        path.write_text(content)
        with pytest.raises(StudyError, match="found no timings"):
            measured_speeds(Run.open(folder))


def test_the_solution_is_the_best_one_that_is_not_negative() -> None:
    """As scipy's, also where the ordinary solution has negative parts."""
    from scipy.optimize import nnls

    random = np.random.default_rng(0)
    for _ in range(50):
        matrix, wanted = random.normal(size=(9, 4)), random.normal(size=9)
        solution = _non_negative_least_squares(matrix, wanted)
        assert solution == pytest.approx(nnls(matrix, wanted)[0], abs=1e-9)
        assert solution.min() >= 0
