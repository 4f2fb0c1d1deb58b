"""A plan in words and in JSON.

In: a `State`. Out: text for the terminal, or a dictionary for machines.
"""

from __future__ import annotations

from typing import Any

from study.hardware import default_devices
from study.planning.cost.estimate import Estimate, estimate
from study.planning.cost.here import speed_here
from study.planning.cost.throughput import ASSUMED, Speed, measured_speeds
from study.planning.plan_study import State

SHOWN_JOBS, SHOWN_NOTES = 60, 12


def plan_json(state: State) -> dict[str, Any]:
    """Everything that the text says, whole."""
    left = estimate(state.resolved, state.plan, state.done)
    devices, speeds = _speeds(state)
    return {
        "study": state.resolved.study.name,
        "pairs": [pair.name for pair in state.resolved.pairs],
        "arms": state.resolved.study.arm_names(),
        "tasks": [task.task for task in state.resolved.tasks],
        "to_tune": [ref.name for ref, model in state.resolved.tuned.items() if not model.finished],
        "cells": state.cells,
        "done": state.cells_done,
        "left": {**vars(left.work), "memory_bytes": left.memory, "disk_bytes": left.disk},
        "devices": len(devices),
        "seconds": {
            speed.device: {
                "measured_jobs": speed.jobs,
                "one_device": left.device_seconds(speed),
                "here": left.seconds(speed, len(devices)) if here else None,
            }
            for speed, here in speeds
        },
        "jobs": [
            {
                "model": of_job.job.model.name,
                "params_b": of_job.job.params_b,
                "cells": len(of_job.job.cells),
                "done": sum(cell.key in state.done for cell in of_job.job.cells),
                "weight_bytes": of_job.weights,
                "left": vars(of_job.work),
                "seconds": {speed.device: of_job.seconds(speed) for speed, _ in speeds},
            }
            for of_job in left.jobs
        ],
        "left_out": [vars(entry) for entry in state.plan.left_out],
        "falsified_by_lm_eval": list(state.plan.falsified),
        "missing": missing(state),
    }


def plan_text(state: State) -> str:
    """The plan for a reader."""
    plan, study = state.plan, state.resolved.study
    families = {pair.family for pair in state.resolved.pairs}
    left = estimate(state.resolved, plan, state.done)
    lines = [
        f"study {study.name}: {len(state.resolved.pairs)} pairs of {len(families)} families, "
        f"{len(study.arms)} arms, {len(state.resolved.tasks)} tasks, {study.draws} draws",
        f"{state.cells} cells in {len(plan.jobs)} jobs, one per model; {state.cells_done} done, "
        f"{state.cells - state.cells_done} left",
        *_tuning_line(state),
        "",
        f"{'model':<52} {'10⁹':>8} {'cells':>6} {'done':>6} {'tokens left':>12}",
    ]
    for of_job in left.jobs[:SHOWN_JOBS]:
        job = of_job.job
        finished = sum(cell.key in state.done for cell in job.cells)
        lines.append(
            f"{job.model.name[:52]:<52} {job.params_b:>8.4g} {len(job.cells):>6} {finished:>6} "
            f"{_count(of_job.work.tokens):>12}"
        )
    if len(plan.jobs) > SHOWN_JOBS:
        lines.append(f"… and {len(plan.jobs) - SHOWN_JOBS} more models (--json lists all)")
    lines += ["", *cost_lines(state, left)]
    left_out = [f"{entry.arm} on {entry.task}: {entry.reason}" for entry in plan.left_out]
    lines += _notes("left out, for they would not be what they are called", left_out)
    lines += _notes("would have been falsified by lm-eval's own rules", list(plan.falsified))
    lines += _notes("not on this machine, so not runnable here", missing(state))
    return "\n".join(lines)


def _tuning_line(state: State) -> list[str]:
    tuned = state.resolved.tuned.values()
    left = sum(not model.finished for model in tuned)
    if not tuned:
        return []
    return [
        f"{len(tuned)} models are tuned by recipes, {left} of them not yet; the times below do not "
        "allow for tuning"
    ]


def cost_lines(state: State, left: Estimate) -> list[str]:
    """What is left, in tokens, time, memory and disk."""
    work = left.work
    assumed = f"; {work.assumed} cells by the suite's numbers, their data not being here"
    lines = [
        f"left: {_count(work.tokens)} tokens to compute, of {_count(work.prompt_tokens)} in "
        f"{_count(work.requests)} prompts that share their beginnings"
        + (assumed if work.assumed else ""),
        f"memory: {in_bytes(left.memory)} of weights in the largest model; disk: "
        f"{in_bytes(left.disk)} of results",
    ]
    devices, speeds = _speeds(state)
    for speed, here in speeds:
        how = f"measured on {speed.jobs} jobs" if speed.jobs else "assumed speeds, none measured"
        hours = left.device_seconds(speed) / 3600
        unit = "GPU hours" if speed.device.startswith("cuda") else "hours of one worker"
        time = f"{hours:.3g} {unit}"
        if here:
            time = f"{_duration(left.seconds(speed, len(devices)))} on this machine's " + (
                f"{len(devices)} workers" if len(devices) > 1 else "one worker"
            )
        lines.append(f"time: {time} ({speed.device}; {how})")
    return lines


def _speeds(state: State) -> tuple[list[str], list[tuple[Speed, bool]]]:
    """This machine's devices; the speeds of its kind (true), of kinds measured elsewhere, and of a
    GPU in any case."""
    devices = default_devices()
    here = speed_here(state.resolved.study, state.resolved.run, devices)
    speeds = [(here, True)]
    measured = measured_speeds(state.resolved.run)
    speeds += [(speed, False) for speed in measured.values() if speed.device != here.device]
    if not any(speed.device.startswith("cuda") for speed, _ in speeds):
        speeds.append((ASSUMED["cuda"], False))
    return devices, speeds


def missing(state: State) -> list[str]:
    """What cells lack that is not on this machine, each thing once."""
    lacking = [cell for job in state.plan.jobs for cell in job.cells if cell.key is None]
    models = {cell.model for cell in lacking}
    tasks = {cell.task.task for cell in lacking}
    found = state.resolved
    reasons: list[object] = [found.models[ref] for ref in found.models if ref in models]
    reasons += [found.items[name] for name in found.items if name in tasks]
    others = (cell.missing for cell in lacking)
    return list(dict.fromkeys([*(r for r in reasons if isinstance(r, str)), *others]))


def _notes(title: str, notes: list[str]) -> list[str]:
    if not notes:
        return []
    more = [f"  … and {len(notes) - SHOWN_NOTES} more (--json lists all)"]
    shown = [f"  {note}" for note in notes[:SHOWN_NOTES]]
    return ["", f"{title} ({len(notes)}):", *shown, *(more if len(notes) > SHOWN_NOTES else [])]


def _count(number: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def in_bytes(number: float) -> str:
    """A size for a reader."""
    return _count(number) + ("B" if number >= 1e3 else " bytes")


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} seconds"
