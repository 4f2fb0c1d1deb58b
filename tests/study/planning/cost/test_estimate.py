"""Time, devices and order of remaining jobs, compared with calculations by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.hardware import RESERVED_BYTES
from study.models.pairs import ModelRef
from study.planning.cost.estimate import (
    CELL_BYTES,
    REQUEST_BYTES,
    Estimate,
    RemainingJob,
    estimate,
)
from study.planning.cost.throughput import Speed
from study.planning.cost.workload import Work
from study.planning.plan import Job
from tests.conftest import MakeRun
from tests.in_process import plan

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


def test_seconds_are_the_sum_of_all_parts_of_the_work() -> None:
    speed = Speed("cpu by hand", 1, 0, load=(3, 1e-9), render=0, cell=(10, 1, 0.1, 0.01))
    work = Work(cells=2, items=99, requests=3, prompt_tokens=40, tokens=99, flops=500)
    job = RemainingJob(JOBS[0].job, work, 2e9, 0)
    assert job.seconds(speed) == pytest.approx((3 + 2) + 20 + 3 + 4 + 5)
    assert replace(job, work=Work()).seconds(speed) == 0


def test_a_gpu_has_less_than_its_memory_for_weights() -> None:
    gpu = replace(SPEED, device="cuda")
    free = 80 * 2**30 - RESERVED_BYTES
    for weights, devices in ((0, 1), (free, 1), (free + 1, 2), (2 * free + 1, 3)):
        assert replace(JOBS[0], weights=weights).devices(gpu) == devices


def test_all_devices_render_what_they_have_not_rendered() -> None:
    """150,000 requests are cached; 150,001 are not, and each model renders its own."""
    few = tuple(_remaining(1, rendered=100_000) for _ in range(2))
    for distinct, rendered in ((150_000, 200_000), (90_000, 180_000), (150_001, 200_000)):
        estimate = Estimate(few, distinct=distinct)
        assert estimate.device_seconds(SPEED) == 2 * 2 + 0.5 * rendered
    assert Estimate(few, distinct=90_000).seconds(SPEED, 1) == 10 + 4 + 0.5 * 90_000


def test_what_is_done_costs_nothing_and_prompts_are_shared(make_run: MakeRun) -> None:
    """Two draws of five shots, on two tasks of 12 items with 4 choices, for three pairs."""
    planned = plan(make_run())
    cells = [cell for job in planned.plan.jobs for cell in job.cells]
    whole = estimate(planned.resolved, planned.plan, frozenset())
    assert whole.work.cells == len(cells) == 24
    requests = whole.work.requests / 24
    assert [job.rendered for job in whole.jobs] == [job.work.requests for job in whole.jobs]
    # Base models share prompts; tuned ones those of their tokenizer and chat template.
    templates = {cell.arm.template and cell.rendering for cell in cells} - {False}
    assert whole.distinct == (2 + 4 + 2 * len(templates)) * requests
    assert [job.weights for job in whole.jobs] == [
        planned.resolved.models[job.job.model].weight_bytes  # type: ignore[union-attr]
        for job in whole.jobs
    ]
    done = frozenset(cell.key for cell in cells[:7] if cell.key)
    rest = estimate(planned.resolved, planned.plan, done)
    assert rest.work.cells == 17
    nothing = estimate(planned.resolved, planned.plan, frozenset(c.key for c in cells if c.key))
    assert nothing.work == Work()
    assert nothing.distinct == 0


def test_a_model_that_is_not_there_has_the_weights_of_its_size(make_run: MakeRun) -> None:
    pair = {"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 2.0}
    planned = plan(make_run(pairs=[pair], dtype="float32"))
    whole = estimate(planned.resolved, planned.plan, frozenset())
    assert [job.weights for job in whole.jobs] == [8e9, 8e9]
    assert whole.work.assumed == 0, "the tasks' data are there"
    assert whole.work.flops == pytest.approx(2 * 2e9 * whole.work.tokens)
