"""How fast devices were: written down by every job, read by the next plan.

In: a job's timings. Out: `results/throughput/*.json`, one file for each job; and from those of this
run and of its neighbours a `Speed` for each kind of device.

Seconds of cells are fitted as a sum of parts, none of them negative: for a cell, a request, a token
of its prompts (which is tokenised and looked up) and a floating-point operation. Every observation
counts by its relative error, so that small models say as much as large ones. A part that what was
seen says nothing of (tiny models never wait for arithmetic) is no smaller than hardware allows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError
from study.results.cell_store.store import results_folder
from study.results.files import file_name, write_whole

FASTEST = {"cpu": 2e11, "cuda": 5e14}
"Floating-point operations per second that no device of that sort exceeds in practice."
FEATURES = ("cells", "requests", "prompt_tokens", "flops")


@dataclass
class Timings:
    """What a job took, as it goes on."""

    device: str
    "Its kind (`devices.device_kind`)."
    start_seconds: float | None = None
    "From the worker's start to its first job; None for its later ones."
    load_bytes: int = 0
    load_seconds: float = 0.0
    rendered: int = 0
    "Requests that were rendered anew."
    render_seconds: float = 0.0
    arms: dict[str, dict[str, float]] = field(default_factory=dict)
    "By arm, sums over its cells: `FEATURES`, and seconds without rendering."
    other_seconds: float = 0.0
    "Of the job, in none of these."
    began: float = field(default_factory=time.perf_counter)

    def add(self, arm: str, seconds: float, **features: float) -> None:
        """A finished cell."""
        sums = self.arms.setdefault(arm, dict.fromkeys((*FEATURES, "seconds"), 0.0))
        for name, value in {**features, "cells": 1.0, "seconds": seconds}.items():
            sums[name] += value

    def over(self) -> None:
        """The job has ended."""
        known = self.load_seconds + self.render_seconds
        known += sum(sums["seconds"] for sums in self.arms.values())
        self.other_seconds = max(0.0, time.perf_counter() - self.began - known)

    def write(self, run: Path, model: str) -> None:
        """A file of its own: nobody else's is touched."""
        if self.arms:
            path = results_folder(run) / "throughput" / f"{file_name(model)}.{time.time_ns()}.json"
            write_whole(path, (json.dumps(asdict(self), indent=1) + "\n").encode())


@dataclass(frozen=True)
class Speed:
    """What things take on a kind of device."""

    device: str
    jobs: int
    "From how many jobs it was measured; 0: assumed."
    start: float
    "Seconds until a worker can begin."
    load: tuple[float, float]
    "Seconds for a model beside its cells, which is mostly loading, and for a byte of it."
    render: float
    "Seconds to render a request."
    cell: tuple[float, float, float, float]
    "Seconds for each of `FEATURES`."


ASSUMED = {
    "cpu": Speed("cpu, one core", 0, 8.0, (0.5, 1e-9), 1e-4, (6e-3, 4e-5, 1.4e-6, 2.5e-11)),
    "cuda": Speed("cuda, one H100", 0, 20.0, (5.0, 5e-10), 1e-4, (0.05, 4e-5, 1.4e-6, 5e-15)),
}
"Where nothing was measured yet; that of a CPU as the demo was on two cores."
TRUST = 0.1
"""Weight of what is assumed, against one observation: where parts always came together, as cells
and requests do in a study of one size of task, it says which of them took the time."""


def measured_speeds(run: Path) -> dict[str, Speed]:
    """By kind of device, from this run's jobs and those of the runs beside it."""
    seen: dict[str, list[Timings]] = {}
    for timings in _observations(run):
        seen.setdefault(timings.device, []).append(timings)
    return {kind: _fitted(kind, own) for kind, own in seen.items()}


def _observations(run: Path) -> Iterator[Timings]:
    for path in sorted(run.resolve().parent.glob("*/results/throughput/*.json")):
        try:
            yield Timings(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise StudyError(
                path,
                found="no timings",
                expected="what `study run` wrote",
                do="Remove the file: only estimates depend on it",
            ) from None


def _fitted(kind: str, seen: list[Timings]) -> Speed:
    assumed = ASSUMED[kind.split(" ")[0]]
    starts = [timings.start_seconds for timings in seen if timings.start_seconds is not None]
    rendered = sum(timings.rendered for timings in seen)
    arms = [sums for timings in seen for sums in timings.arms.values()]
    cell = _parts(
        [[sums[name] for name in FEATURES] for sums in arms],
        [sums["seconds"] for sums in arms],
        assumed.cell,
    )
    loads = [t.load_seconds + t.other_seconds for t in seen]
    load = _parts([[1.0, t.load_bytes] for t in seen], loads, assumed.load)
    fastest = FASTEST[kind.split(" ")[0]]
    return Speed(
        device=kind,
        jobs=len(seen),
        start=float(np.mean(starts)) if starts else assumed.start,
        load=(float(load[0]), float(load[1])),
        render=sum(t.render_seconds for t in seen) / rendered if rendered else assumed.render,
        cell=(float(cell[0]), float(cell[1]), float(cell[2]), max(float(cell[3]), 1 / fastest)),
    )


def _parts(
    features: list[list[float]], seconds: list[float], assumed: tuple[float, ...]
) -> NDArray[np.float64]:
    """Non-negative seconds for each feature, by least squares of relative errors, drawn a little
    towards what is assumed of such devices, made faster or slower as a whole."""
    from scipy.optimize import nnls

    matrix, total = np.array(features), np.maximum(seconds, 1e-9)
    prior = np.array(assumed) * np.median(total / (matrix @ np.array(assumed)))
    relative = matrix * prior / total[:, None]
    rows = np.vstack([relative, TRUST * np.eye(len(prior))])
    wanted = np.concatenate([np.ones(len(total)), np.full(len(prior), TRUST)])
    found: NDArray[np.float64] = nnls(rows, wanted)[0] * prior
    return found
