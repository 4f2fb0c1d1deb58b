"""What a plan costs: tokens and time, before anything is booked.

In: `Resolved` and its `Plan`. Out: tokens for each job, and seconds on a device of stated speed.

What requests share is computed once (study/scoring): a cell costs its demonstrations once, every
item its question once, and its choices. Models that cannot be packed cost more than is said here.
Texts are counted in characters (four to a token) where the data is at hand; else the suite's
numbers stand in. A token costs 2 floating-point operations per parameter, a request a fixed
overhead.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from study.design import ListedTask
from study.items import TaskItems
from study.plan import Job, Plan, evaluated
from study.resolving import Resolved

CHARACTERS_PER_TOKEN = 4.0
ASSUMED_ITEMS, ASSUMED_TOKENS, ASSUMED_CHOICES, ASSUMED_ANSWER = 1000, 120, 4, 5
"Of a task of which neither data nor the suite tells."


@dataclass(frozen=True)
class Speed:
    """How fast a device computes."""

    name: str
    flops: float
    "Floating-point operations per second that a model reaches on it."
    request_seconds: float
    "Overhead of one request."


CPU = Speed("one CPU core", 1.5e10, 2e-4)
GPU = Speed("one H100 in bfloat16", 2e14, 2e-4)


@dataclass(frozen=True)
class Cost:
    """Work of some cells."""

    cells: int
    requests: int
    tokens: int
    flops: float

    def seconds(self, speed: Speed) -> float:
        """Time on one device."""
        return self.flops / speed.flops + self.requests * speed.request_seconds


def job_costs(resolved: Resolved, plan: Plan, done: set[str]) -> list[Cost]:
    """What is left of each job, in the plan's order."""
    sizes = {task.task: _sizes(resolved, task) for task in resolved.tasks}
    return [_job_cost(job, sizes, done) for job in plan.jobs]


def total(costs: list[Cost]) -> Cost:
    """All of it together."""
    return Cost(
        sum(cost.cells for cost in costs),
        sum(cost.requests for cost in costs),
        sum(cost.tokens for cost in costs),
        sum(cost.flops for cost in costs),
    )


def _job_cost(job: Job, sizes: dict[str, Sizes], done: set[str]) -> Cost:
    cells = requests = tokens = 0
    for cell in job.cells:
        if cell.key not in done:
            items, choices, question, answer, shown = sizes[cell.task.task]
            of_cell = round(items * choices)
            cells += 1
            requests += of_cell
            tokens += round(cell.arm.shots * shown + items * (question + choices * answer))
    return Cost(cells, requests, tokens, 2e9 * job.params_b * tokens)


Sizes = tuple[int, float, float, float, float]
"Items, requests per item, tokens of a question, of an answer, of a demonstration."


def _sizes(resolved: Resolved, task: ListedTask) -> Sizes:
    found = resolved.items[task.task]
    limit = resolved.study.limit
    if isinstance(found, TaskItems):
        documents = evaluated(found, limit)
        choices = fmean(max(1, len(document.choices)) for document in documents)
        question = fmean(len(d.text) for d in documents) / CHARACTERS_PER_TOKEN
        answer = fmean(len(d.target) for d in documents) / CHARACTERS_PER_TOKEN
        shown = fmean(
            len(d.text) + max(map(len, (*d.choices, d.target))) for d in found.pool or documents
        )
        return len(documents), choices, question, answer, shown / CHARACTERS_PER_TOKEN
    items = task.items or ASSUMED_ITEMS
    generated = resolved.entries[task.task].config.get("output_type") == "generate_until"
    tokens = float(task.tokens or ASSUMED_TOKENS)
    choices = 1 if generated else ASSUMED_CHOICES
    return min(items, limit or items), choices, tokens, ASSUMED_ANSWER, tokens
