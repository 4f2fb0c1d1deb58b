"""Time, devices and order of remaining jobs, compared with calculations by hand."""

from __future__ import annotations

from dataclasses import replace

from study.models.pairs import ModelRef
from study.planning.cost.estimate import CELL_BYTES, REQUEST_BYTES, Estimate, RemainingJob
from study.planning.cost.throughput import Speed
from study.planning.cost.workload import Work
from study.planning.plan import Job

SPEED = Speed("cpu by hand", 1, start=10, load=(1, 0), render=0.5, cell=(1, 0, 0, 0))
"A cell takes one second, and so does loading a model."


def _remaining(cells: int, rendered: float = 0) -> RemainingJob:
    return RemainingJob(Job(ModelRef("m"), 1.0, ()), Work(cells=cells), 0.0, rendered)


JOBS = tuple(_remaining(cells) for cells in (3, 5, 7, 0))


def test_the_time_is_that_of_the_busiest_worker() -> None:
    assert Estimate(JOBS, 0).seconds(SPEED, 1) == 10 + 4 + 6 + 8
    assert Estimate(JOBS, 0).seconds(SPEED, 2) == 10 + 4 + 6
    assert Estimate(JOBS, 0).seconds(SPEED, 9) == 10 + 8
    assert Estimate((_remaining(0),), 0).seconds(SPEED, 2) == 0


def test_device_time_counts_every_device_of_a_large_model() -> None:
    assert Estimate(JOBS, 0).device_seconds(SPEED) == 4 + 6 + 8
    large = replace(JOBS[2], weights=141e9)
    assert large.devices(SPEED) == 1
    gpu = replace(SPEED, device="cuda H100")
    assert large.devices(gpu) == 2
    assert Estimate((large,), 0).device_seconds(gpu) == 2 * 8


def test_longest_jobs_are_first() -> None:
    assert Estimate(JOBS, 0).longest_first(SPEED) == [JOBS[i].job for i in (2, 1, 0, 3)]


def test_prompts_are_rendered_once_by_each_worker_unless_there_are_too_many() -> None:
    few = tuple(_remaining(1, rendered=10) for _ in range(4))
    assert Estimate(few, distinct=10).seconds(SPEED, 2) == 10 + 4 + 5
    many = tuple(_remaining(1, rendered=200_000) for _ in range(4))
    assert Estimate(many, distinct=200_000).seconds(SPEED, 2) == 10 + 4 + 0.5 * 400_000


def test_memory_and_disk() -> None:
    jobs = (
        replace(_remaining(2), weights=5e9),
        replace(_remaining(0), weights=9e9),
        RemainingJob(JOBS[0].job, Work(cells=1, requests=100), 1e9, 0),
    )
    estimate = Estimate(jobs, 0)
    assert estimate.memory == 5e9, "only models with remaining cells are loaded"
    assert estimate.disk == 3 * CELL_BYTES + 100 * REQUEST_BYTES
    assert Estimate((), 0).memory == 0
