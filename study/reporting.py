"""A plan in words and in JSON.

In: a `State`. Out: text for the terminal, or a dictionary for machines.
"""

from __future__ import annotations

import os
from typing import Any

from study.cost import CPU, GPU, Cost, job_costs, total
from study.planning import State

SHOWN_JOBS, SHOWN_NOTES = 60, 12


def plan_json(state: State) -> dict[str, Any]:
    """Everything that the text says, whole."""
    done = set(state.done)
    costs = job_costs(state.resolved, state.plan, done)
    return {
        "study": state.resolved.study.name,
        "pairs": [pair.name for pair in state.resolved.pairs],
        "arms": state.resolved.study.arm_names(),
        "tasks": [task.task for task in state.resolved.tasks],
        "cells": state.cells,
        "done": state.cells_done,
        "left": _cost_json(total(costs)),
        "jobs": [
            {
                "model": job.model.name,
                "params_b": job.params_b,
                "cells": len(job.cells),
                "done": sum(cell.key in done for cell in job.cells),
                "left": _cost_json(cost),
            }
            for job, cost in zip(state.plan.jobs, costs, strict=True)
        ],
        "left_out": [vars(entry) for entry in state.plan.left_out],
        "falsified_by_lm_eval": list(state.plan.falsified),
        "missing": _missing(state),
    }


def plan_text(state: State) -> str:
    """The plan for a reader."""
    done, plan, study = set(state.done), state.plan, state.resolved.study
    families = {pair.family for pair in state.resolved.pairs}
    lines = [
        f"study {study.name}: {len(state.resolved.pairs)} pairs of {len(families)} families, "
        f"{len(study.arms)} arms, {len(state.resolved.tasks)} tasks, {study.draws} draws",
        f"{state.cells} cells in {len(plan.jobs)} jobs, one per model; {state.cells_done} done, "
        f"{state.cells - state.cells_done} left",
        "",
        f"{'model':<52} {'10⁹':>8} {'cells':>6} {'done':>6} {'tokens left':>12}",
    ]
    costs = job_costs(state.resolved, plan, done)
    for job, cost in list(zip(plan.jobs, costs, strict=True))[:SHOWN_JOBS]:
        finished = sum(cell.key in done for cell in job.cells)
        lines.append(
            f"{job.model.name[:52]:<52} {job.params_b:>8.4g} {len(job.cells):>6} {finished:>6} "
            f"{_count(cost.tokens):>12}"
        )
    if len(plan.jobs) > SHOWN_JOBS:
        lines.append(f"… and {len(plan.jobs) - SHOWN_JOBS} more models (--json lists all)")
    left = total(costs)
    cores = os.cpu_count() or 1
    lines += [
        "",
        f"left: {_count(left.tokens)} tokens in {_count(left.requests)} requests, about "
        f"{_duration(left.seconds(CPU) / cores)} on this machine's {cores} CPU cores, "
        f"{_duration(left.seconds(GPU))} on {GPU.name} (rough: assumed speeds)",
    ]
    left_out = [f"{entry.arm} on {entry.task}: {entry.reason}" for entry in plan.left_out]
    lines += _notes("left out, for they would not be what they are called", left_out)
    lines += _notes("would have been falsified by lm-eval's own rules", list(plan.falsified))
    lines += _notes("not on this machine, so not runnable here", _missing(state))
    return "\n".join(lines)


def _missing(state: State) -> list[str]:
    reasons = (cell.missing for job in state.plan.jobs for cell in job.cells if cell.missing)
    return list(dict.fromkeys(reasons))


def _notes(title: str, notes: list[str]) -> list[str]:
    if not notes:
        return []
    more = [f"  … and {len(notes) - SHOWN_NOTES} more (--json lists all)"]
    shown = [f"  {note}" for note in notes[:SHOWN_NOTES]]
    return ["", f"{title} ({len(notes)}):", *shown, *(more if len(notes) > SHOWN_NOTES else [])]


def _cost_json(cost: Cost) -> dict[str, float]:
    return {
        "cells": cost.cells,
        "requests": cost.requests,
        "tokens": cost.tokens,
        "cpu_core_seconds": cost.seconds(CPU),
        "gpu_seconds": cost.seconds(GPU),
    }


def _count(number: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} seconds"
