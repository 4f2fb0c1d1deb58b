"""How fast devices are: recorded by every job, used by the next plan.

In: a job's timings. Out: `results/throughput/*.json`, one file per job; and a `Speed` for each kind
of device, fitted to the files of this run and of the runs beside it.

Seconds of cells are fitted as a sum of non-negative parts: for a cell, a request, a token of its
prompts (which is tokenised and looked up) and a floating-point operation. Observations are weighted
by their relative error, so that small models count as much as large ones. A part about which the
observations say nothing (tiny models are never limited by arithmetic) is at least what hardware
allows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError
from study.hardware import device_kind, split_cores
from study.results.files import file_name, write_whole
from study.results.run import Run

MAX_FLOPS = {"cpu": 2e11, "cuda": 5e14}
"Floating-point operations per second that no device of a kind exceeds in practice."
FEATURES = ("cells", "requests", "prompt_tokens", "flops")


@dataclass
class Timings:
    """How long the parts of a job took."""

    device: str
    "Its kind (`hardware.device_kind`)."
    start_seconds: float | None = None
    "From the worker's start to its first job; None for its later jobs."
    load_bytes: int = 0
    load_seconds: float = 0.0
    rendered: int = 0
    "Requests rendered, not taken from the cache."
    render_seconds: float = 0.0
    arms: dict[str, dict[str, float]] = field(default_factory=dict)
    "By arm, sums over its cells: `FEATURES`, and seconds without rendering."
    other_seconds: float = 0.0
    "Seconds of the job that are in none of these."
    began: float = field(default_factory=time.perf_counter)

    def add(self, arm: str, seconds: float, **features: float) -> None:
        """Add a finished cell."""
        sums = self.arms.setdefault(arm, dict.fromkeys((*FEATURES, "seconds"), 0.0))
        for name, value in {**features, "cells": 1.0, "seconds": seconds}.items():
            sums[name] += value

    def finish(self) -> None:
        """Record that the job has ended."""
        known = self.load_seconds + self.render_seconds
        known += sum(sums["seconds"] for sums in self.arms.values())
        self.other_seconds = max(0.0, time.perf_counter() - self.began - known)

    def write(self, results: Path, model: str) -> None:
        """Write a file of its own, so that jobs never touch each other's."""
        if self.arms:
            path = results / "throughput" / f"{file_name(model)}.{time.time_ns()}.json"
            write_whole(path, (json.dumps(asdict(self), indent=1) + "\n").encode())


@dataclass(frozen=True)
class Speed:
    """Seconds for each part of the work on a kind of device."""

    device: str
    jobs: int
    "Number of jobs it was measured on; 0 if assumed."
    start: float
    "Seconds until a worker is ready."
    load: tuple[float, float]
    "Seconds per model besides its cells (mostly loading), and per byte of weights."
    render: float
    "Seconds to render a request."
    cell: tuple[float, float, float, float]
    "Seconds for each of `FEATURES`."


ASSUMED = {
    "cpu": Speed("cpu, one core", 0, 8.0, (0.5, 1e-9), 1e-4, (6e-3, 4e-5, 1.4e-6, 2.5e-11)),
    "cuda": Speed("cuda, one H100", 0, 20.0, (5.0, 5e-10), 1e-4, (0.05, 4e-5, 1.4e-6, 5e-15)),
}
"Speeds before anything was measured; the CPU's is that of the demo on two cores."
PRIOR_WEIGHT = 0.1
"""Weight of the assumed speed relative to one observation. Where two parts always occurred together
(cells and requests, in a study with one size of task), it decides which of them took the time."""


def measured_speeds(run: Run) -> dict[str, Speed]:
    """By kind of device, the speed in the jobs of this run and of the runs beside it."""
    timings: dict[str, list[Timings]] = {}
    for job in _observations(run.folder):
        timings.setdefault(job.device, []).append(job)
    return {kind: _fitted(kind, jobs) for kind, jobs in timings.items()}


def local_speed(run: Run, devices: Sequence[str]) -> Speed:
    """Speed of one of this machine's devices while all of them are used."""
    threads = len(split_cores(len(devices))[0])
    kind = device_kind(devices[0], run.study.dtype, threads)
    return measured_speeds(run).get(kind, ASSUMED[kind.split(" ")[0]])


def _observations(folder: Path) -> Iterator[Timings]:
    for path in sorted(folder.resolve().parent.glob("*/results/throughput/*.json")):
        try:
            yield Timings(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise StudyError(
                path,
                found="no timings",
                expected="what `study run` wrote",
                do="Delete the file: only estimates depend on it",
            ) from None


def _fitted(kind: str, jobs: list[Timings]) -> Speed:
    assumed = ASSUMED[kind.split(" ")[0]]
    starts = [job.start_seconds for job in jobs if job.start_seconds is not None]
    rendered = sum(job.rendered for job in jobs)
    arms = [sums for job in jobs for sums in job.arms.values()]
    cell = _non_negative_parts(
        [[sums[name] for name in FEATURES] for sums in arms],
        [sums["seconds"] for sums in arms],
        assumed.cell,
    )
    load_seconds = [job.load_seconds + job.other_seconds for job in jobs]
    load_features = [[1.0, job.load_bytes] for job in jobs]
    load = _non_negative_parts(load_features, load_seconds, assumed.load)
    fastest = MAX_FLOPS[kind.split(" ")[0]]
    return Speed(
        device=kind,
        jobs=len(jobs),
        start=float(np.mean(starts)) if starts else assumed.start,
        load=(float(load[0]), float(load[1])),
        render=sum(j.render_seconds for j in jobs) / rendered if rendered else assumed.render,
        cell=(float(cell[0]), float(cell[1]), float(cell[2]), max(float(cell[3]), 1 / fastest)),
    )


def _non_negative_parts(
    features: list[list[float]], seconds: list[float], assumed: tuple[float, ...]
) -> NDArray[np.float64]:
    """Non-negative seconds per feature, by least squares of relative errors, shrunk a little
    towards the assumed speed, which is first scaled to the observations as a whole."""
    matrix, total = np.array(features), np.maximum(seconds, 1e-9)
    prior = np.array(assumed) * np.median(total / (matrix @ np.array(assumed)))
    relative = matrix * prior / total[:, None]
    rows = np.vstack([relative, PRIOR_WEIGHT * np.eye(len(prior))])
    wanted = np.concatenate([np.ones(len(total)), np.full(len(prior), PRIOR_WEIGHT)])
    parts: NDArray[np.float64] = _non_negative_least_squares(rows, wanted) * prior
    return parts


def _non_negative_least_squares(
    matrix: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The x ≥ 0 with the smallest |matrix x − wanted|, for a few columns.

    It is the ordinary solution for the columns in which x is positive, so every set of columns is
    tried. (scipy's function for it takes a third of a second to import.)
    """
    n = matrix.shape[1]
    best, least = np.zeros(n), float(wanted @ wanted)
    for used in product((False, True), repeat=n):
        columns = np.flatnonzero(used)
        x = np.zeros(n)
        x[columns] = np.linalg.lstsq(matrix[:, columns], wanted, rcond=None)[0]
        error = float(np.sum((matrix @ x - wanted) ** 2))
        if error < least and (x >= 0).all():
            best, least = x, error
    return best
