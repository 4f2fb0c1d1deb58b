"""A plan as text for the terminal, and as JSON.

In: a `PlannedStudy`. Out: text, or a dictionary.
"""

from __future__ import annotations

from typing import Any

from study.hardware import default_devices
from study.models.pair_checks import swapped_pairs
from study.planning.cost.estimate import Estimate, estimate
from study.planning.cost.throughput import ASSUMED, Speed, local_speed, measured_speeds
from study.planning.plan_study import PlannedStudy

MAX_JOBS, MAX_NOTES = 60, 12
"Jobs and notes that the text lists."


def plan_json(planned: PlannedStudy) -> dict[str, Any]:
    """Everything that the text says, in full."""
    resolved, plan, done = planned.resolved, planned.plan, planned.done
    remaining = estimate(resolved, plan, planned.evaluated())
    devices, speeds = _speeds(planned)
    return {
        "study": resolved.study.name,
        "pairs": [pair.name for pair in resolved.pairs],
        "arms": resolved.study.arm_names(),
        "tasks": [task.task for task in resolved.tasks],
        "to_tune": [ref.name for ref, model in resolved.tuned.items() if not model.finished],
        "cells": plan.n_cells,
        "done": planned.n_done,
        "remaining": {
            **vars(remaining.work),
            "memory_bytes": remaining.memory,
            "disk_bytes": remaining.disk,
        },
        "devices": len(devices),
        "seconds": {
            speed.device: {
                "measured_jobs": speed.jobs,
                "one_device": remaining.device_seconds(speed),
                "here": remaining.seconds(speed, len(devices)) if is_local else None,
            }
            for speed, is_local in speeds
        },
        "jobs": [
            {
                "model": entry.job.model.name,
                "params_b": entry.job.params_b,
                "cells": len(entry.job.cells),
                "done": sum(cell.key in done for cell in entry.job.cells),
                "weight_bytes": entry.weights,
                "remaining": vars(entry.work),
                "seconds": {speed.device: entry.seconds(speed) for speed, _ in speeds},
            }
            for entry in remaining.jobs
        ],
        "skipped": [vars(entry) for entry in plan.skipped],
        "corrected": list(plan.corrections),
        "missing": missing(planned),
        "warnings": list(swapped_pairs(resolved.pairs, resolved.models)),
    }


def plan_text(planned: PlannedStudy) -> str:
    """The plan for the terminal."""
    plan, study = planned.plan, planned.resolved.study
    families = {pair.family for pair in planned.resolved.pairs}
    remaining = estimate(planned.resolved, plan, planned.evaluated())
    lines = [
        f"study {study.name}: {len(planned.resolved.pairs)} pairs from {len(families)} families, "
        f"{len(study.arms)} arms, {len(planned.resolved.tasks)} tasks, {study.draws} draws",
        f"{plan.n_cells} cells in {len(plan.jobs)} jobs (one per model): {planned.n_done} done, "
        f"{plan.n_cells - planned.n_done} remaining",
        *_tuning_line(planned),
        "",
        f"{'model':<52} {'params_b':>8} {'cells':>6} {'done':>6} {'tokens left':>12}",
    ]
    for entry in remaining.jobs[:MAX_JOBS]:
        job = entry.job
        done = sum(cell.key in planned.done for cell in job.cells)
        lines.append(
            f"{job.model.name[:52]:<52} {job.params_b:>8.4g} {len(job.cells):>6} {done:>6} "
            f"{_count(entry.work.tokens):>12}"
        )
    if len(plan.jobs) > MAX_JOBS:
        lines.append(f"… and {len(plan.jobs) - MAX_JOBS} more models (--json lists all)")
    lines += ["", *cost_lines(planned, remaining)]
    skipped = [f"{entry.arm} on {entry.task}: {entry.reason}" for entry in plan.skipped]
    lines += _notes("skipped", skipped)
    lines += _notes("corrected: lm-eval's defaults would leak test items", list(plan.corrections))
    lines += _notes("not available on this machine, so not run", missing(planned))
    swapped = swapped_pairs(planned.resolved.pairs, planned.resolved.models)
    lines += _notes("warnings", list(swapped))
    return "\n".join(lines)


def _tuning_line(planned: PlannedStudy) -> list[str]:
    models = planned.resolved.tuned.values()
    if not models:
        return []
    remaining = sum(not model.finished for model in models)
    return [
        f"{len(models)} models are trained by recipes, {remaining} remaining; the times below do "
        "not include training"
    ]


def cost_lines(planned: PlannedStudy, remaining: Estimate) -> list[str]:
    """What remains, in tokens, memory, disk and time."""
    work = remaining.work
    assumed = f"; {work.assumed} cells are estimated from the suite, their data being unavailable"
    lines = [
        f"remaining: {_count(work.tokens)} tokens to compute, of {_count(work.prompt_tokens)} in "
        f"{_count(work.requests)} prompts that share prefixes" + (assumed if work.assumed else ""),
        f"memory: {in_bytes(remaining.memory)} of weights in the largest model; disk: "
        f"{in_bytes(remaining.disk)} of results",
    ]
    devices, speeds = _speeds(planned)
    for speed, is_local in speeds:
        basis = f"measured on {speed.jobs} jobs" if speed.jobs else "assumed speed, none measured"
        hours = remaining.device_seconds(speed) / 3600
        unit = "GPU hours" if speed.device.startswith("cuda") else "hours of one worker"
        time = f"{hours:.3g} {unit}"
        if is_local:
            workers = f"{len(devices)} workers" if len(devices) > 1 else "one worker"
            duration = _duration(remaining.seconds(speed, len(devices)))
            time = f"{duration} with {workers} on this machine"
        lines.append(f"time: {time} ({speed.device}; {basis})")
    return lines


def _speeds(planned: PlannedStudy) -> tuple[list[str], list[tuple[Speed, bool]]]:
    """This machine's devices; speeds of its own kind (True), of kinds measured elsewhere, and of a
    GPU in any case."""
    run = planned.resolved.run
    devices = default_devices()
    local = local_speed(run, devices)
    speeds = [(local, True)]
    measured = measured_speeds(run).values()
    speeds += [(speed, False) for speed in measured if speed.device != local.device]
    if not any(speed.device.startswith("cuda") for speed, _ in speeds):
        speeds.append((ASSUMED["cuda"], False))
    return devices, speeds


def missing(planned: PlannedStudy) -> list[str]:
    """Why cells cannot be run on this machine, each reason once."""
    cells = [cell for job in planned.plan.jobs for cell in job.cells if cell.key is None]
    models = {cell.model for cell in cells}
    tasks = {cell.task.task for cell in cells}
    resolved = planned.resolved
    facts: list[object] = [resolved.models[ref] for ref in resolved.models if ref in models]
    facts += [resolved.items[name] for name in resolved.items if name in tasks]
    reasons = [reason for reason in facts if isinstance(reason, str)]
    return list(dict.fromkeys([*reasons, *(cell.missing for cell in cells)]))


def _notes(title: str, notes: list[str]) -> list[str]:
    if not notes:
        return []
    lines = ["", f"{title} ({len(notes)}):", *(f"  {note}" for note in notes[:MAX_NOTES])]
    if len(notes) > MAX_NOTES:
        lines.append(f"  … and {len(notes) - MAX_NOTES} more (--json lists all)")
    return lines


def _count(number: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def in_bytes(number: float) -> str:
    """A size for a message."""
    return _count(number) + ("B" if number >= 1e3 else " bytes")


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} seconds"
