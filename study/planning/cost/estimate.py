"""What is left of a plan: its work, and how long that takes, how much memory and disk.

In: `Resolved`, a `Plan`, the keys of finished cells, speeds. Out: `Estimate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from study.hardware import SPARE_BYTES, weight_bytes
from study.planning.cells import Cell
from study.planning.cost.throughput import Speed
from study.planning.cost.workload import Counting, Work
from study.planning.plan import Job, Plan
from study.planning.resolve_study import Resolved
from study.running.cells.prompts import REMEMBERED_REQUESTS

REQUEST_BYTES, CELL_BYTES = 16, 5000
"Of the files of a cell, measured on the demo; items that generate text take more."
ASSUMED_GPU_BYTES = 80 * 2**30


@dataclass(frozen=True)
class JobLeft:
    """What is left of a job."""

    job: Job
    work: Work
    "Of its cells that are not done."
    weights: float
    "Bytes of the model in memory."
    rendered: float
    "Requests of its prompts."

    def seconds(self, speed: Speed) -> float:
        """On one device, without the worker's start and the rendering."""
        if not self.work.cells:
            return 0.0
        parts = (self.work.cells, self.work.requests, self.work.prompt_tokens, self.work.flops)
        loading = speed.load[0] + speed.load[1] * self.weights
        return loading + sum(each * n for each, n in zip(speed.cell, parts, strict=True))

    def devices(self, speed: Speed) -> int:
        """How many it takes: of GPUs as many as hold the weights."""
        if not speed.device.startswith("cuda"):
            return 1
        return math.ceil(self.weights / (ASSUMED_GPU_BYTES - SPARE_BYTES)) or 1


@dataclass(frozen=True)
class Estimate:
    """What is left of a study."""

    jobs: tuple[JobLeft, ...]
    "In the plan's order; those with nothing left too."
    distinct: float
    "Requests of prompts that differ: models are asked the same."

    @property
    def work(self) -> Work:
        """Of all jobs."""
        return Work.sum(left.work for left in self.jobs)

    @property
    def disk(self) -> float:
        """Bytes of results."""
        return CELL_BYTES * self.work.cells + REQUEST_BYTES * self.work.requests

    @property
    def memory(self) -> float:
        """Bytes of the largest model's weights."""
        return max((left.weights for left in self.jobs if left.work.cells), default=0.0)

    def device_seconds(self, speed: Speed) -> float:
        """Of all jobs on devices of that kind; a large model takes several."""
        computing = sum(left.seconds(speed) * left.devices(speed) for left in self.jobs)
        return computing + self._rendering(len(self.jobs), speed)

    def longest_first(self, speed: Speed) -> list[Job]:
        """All jobs."""
        ordered = sorted(self.jobs, key=lambda left: left.seconds(speed), reverse=True)
        return [left.job for left in ordered]

    def seconds(self, speed: Speed, workers: int) -> float:
        """Until all is done: as the jobs are handed out, the longest first."""
        times = sorted((s for left in self.jobs if (s := left.seconds(speed))), reverse=True)
        if not times:
            return 0.0
        busy = [0.0] * workers
        for seconds in times:
            first = min(range(workers), key=busy.__getitem__)
            busy[first] += seconds
        used = min(workers, len(times))
        return max(busy) + speed.start + self._rendering(used, speed) / used

    def _rendering(self, workers: int, speed: Speed) -> float:
        """Each worker renders what it has not met; what is too much to remember, for each model."""
        all_of_it = sum(left.rendered for left in self.jobs)
        if self.distinct <= REMEMBERED_REQUESTS:
            all_of_it = min(all_of_it, self.distinct * workers)
        return speed.render * all_of_it


def estimate(resolved: Resolved, plan: Plan, done: frozenset[str]) -> Estimate:
    """What is left of each job, in the plan's order."""
    counting = Counting(resolved)
    distinct: dict[tuple[object, ...], float] = {}
    jobs = []
    for job in plan.jobs:
        facts = resolved.models[job.model]
        dtype = resolved.study.dtype
        weights = (
            weight_bytes(job.params_b, dtype) if isinstance(facts, str) else facts.weight_bytes
        )
        tokenizer = "" if isinstance(facts, str) else facts.tokenizer
        works = []
        for cell in job.cells:
            if cell.key not in done:
                works.append(counting.work(cell, job.params_b))
                distinct[_rendered_as(cell, tokenizer)] = works[-1].requests
        work = Work.sum(works)
        jobs.append(JobLeft(job, work, float(weights), work.requests))
    return Estimate(tuple(jobs), math.fsum(distinct.values()))


def _rendered_as(cell: Cell, tokenizer: str) -> tuple[object, ...]:
    template = tokenizer if cell.arm.template else ""
    return (cell.task.task, cell.draw, template, *cell.arm.identity().values())
