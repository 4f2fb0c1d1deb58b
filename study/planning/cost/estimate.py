"""What remains of a plan: its work, and the time, memory and disk that it takes.

In: `ResolvedStudy`, a `Plan`, the keys of finished cells, speeds. Out: `Estimate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from study.hardware import RESERVED_BYTES, weight_bytes
from study.planning.cells.cell import Cell
from study.planning.cost.throughput import Speed
from study.planning.cost.workload import Work, WorkCounter
from study.planning.plan import Job, Plan
from study.planning.resolving.resolved_study import ResolvedStudy

REQUEST_BYTES, CELL_BYTES = 20, 10_000
"Size of a cell's files, measured on the demo; items with generated responses take more."
ASSUMED_GPU_BYTES = 80 * 2**30
HOST_SHARE = 1.2
"Memory of the machine while it loads weights, relative to their size."
CACHED_REQUESTS = 150_000
"Rendered requests that a worker keeps in memory for the next model."


@dataclass(frozen=True)
class RemainingJob:
    """What remains of a job."""

    job: Job
    work: Work
    "Work of its cells that are not done."
    weights: float
    "Memory of the weights, bytes."
    rendered: float
    "Requests of its prompts."

    def seconds(self, speed: Speed) -> float:
        """Time on one device, without the worker's start and rendering."""
        if not self.work.cells:
            return 0.0
        parts = (self.work.cells, self.work.requests, self.work.prompt_tokens, self.work.flops)
        loading = speed.load[0] + speed.load[1] * self.weights
        return loading + sum(each * n for each, n in zip(speed.cell, parts, strict=True))

    def devices(self, speed: Speed) -> int:
        """Number of devices: as many GPUs as hold the weights."""
        if not speed.device.startswith("cuda"):
            return 1
        return math.ceil(self.weights / (ASSUMED_GPU_BYTES - RESERVED_BYTES)) or 1


@dataclass(frozen=True)
class Estimate:
    """What remains of a study."""

    jobs: tuple[RemainingJob, ...]
    "In the order of the plan, jobs without remaining work included."
    distinct: float
    "Requests with different prompts; models share most of their prompts."

    @property
    def work(self) -> Work:
        """Total work of all jobs."""
        return Work.sum(remaining.work for remaining in self.jobs)

    @property
    def disk(self) -> float:
        """Size of the results, bytes."""
        return CELL_BYTES * self.work.cells + REQUEST_BYTES * self.work.requests

    @property
    def memory(self) -> float:
        """Size of the largest model's weights, bytes."""
        weights = (remaining.weights for remaining in self.jobs if remaining.work.cells)
        return max(weights, default=0.0)

    def device_seconds(self, speed: Speed) -> float:
        """Device time of all jobs; a large model occupies several devices."""
        computing = sum(job.seconds(speed) * job.devices(speed) for job in self.jobs)
        return computing + self._rendering(len(self.jobs), speed)

    def longest_first(self, speed: Speed) -> list[Job]:
        """All jobs, in descending order of their time."""
        ordered = sorted(self.jobs, key=lambda remaining: remaining.seconds(speed), reverse=True)
        return [remaining.job for remaining in ordered]

    def seconds(self, speed: Speed, workers: int) -> float:
        """Time until everything is done, jobs being assigned longest first."""
        times = sorted((s for job in self.jobs if (s := job.seconds(speed))), reverse=True)
        if not times:
            return 0.0
        busy = [0.0] * workers
        for seconds in times:
            first = min(range(workers), key=busy.__getitem__)
            busy[first] += seconds
        used = min(workers, len(times))
        return max(busy) + speed.start + self._rendering(used, speed) / used

    def _rendering(self, workers: int, speed: Speed) -> float:
        """Each worker renders prompts that it has not rendered before; if there are too many to
        cache, it renders them for each model."""
        requests = sum(remaining.rendered for remaining in self.jobs)
        if self.distinct <= CACHED_REQUESTS:
            requests = min(requests, self.distinct * workers)
        return speed.render * requests


def estimate(resolved: ResolvedStudy, plan: Plan, done: frozenset[str]) -> Estimate:
    """What remains of each job, in the order of the plan."""
    counter = WorkCounter(resolved)
    distinct: dict[tuple[object, ...], float] = {}
    jobs = []
    for job in plan.jobs:
        facts = resolved.models[job.model]
        if isinstance(facts, str):
            weights, tokenizer = weight_bytes(job.params_b, resolved.study.dtype), ""
        else:
            weights, tokenizer = float(facts.weight_bytes), facts.tokenizer
        works = []
        for cell in job.cells:
            if cell.key not in done:
                works.append(counter.work(cell, job.params_b))
                distinct[_prompt_identity(cell, tokenizer)] = works[-1].requests
        work = Work.sum(works)
        jobs.append(RemainingJob(job, work, weights, work.requests))
    return Estimate(tuple(jobs), math.fsum(distinct.values()))


def _prompt_identity(cell: Cell, tokenizer: str) -> tuple[object, ...]:
    template = tokenizer if cell.arm.template else ""
    return (cell.task.task, cell.draw, template, *cell.arm.identity().values())
