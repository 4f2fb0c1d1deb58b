"""Speeds fitted to timings: they predict a study of another size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import StudyError
from study.planning.cost.throughput import (
    ASSUMED,
    FEATURES,
    MAX_FLOPS,
    Timings,
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
