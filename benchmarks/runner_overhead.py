"""What a run costs besides rendering, computing and scoring.

    python benchmarks/runner_overhead.py                     # everything, about ten minutes
    python benchmarks/runner_overhead.py cells many          # only these parts

workers  the demo with one CPU worker and with two; their scores compared
cells    the time that the runner adds to a cell; the time of `study --help`
many     planning 30,000 cells; loading as many finished cells, from files of their own and from
         bundles, whose scores are compared

Exits with 1 if scores differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.demo_study import BIN, SMALL, cell_scores, demo_run, timed_command, timed_run
from workloads.finished_cells import grid_rows, grid_run, write_finished_cells

from study.results.cell_store.maintenance import compact

ITEMS = 20
"Items of a finished cell."


@dataclass(frozen=True)
class Scale:
    """What is measured."""

    demo: dict[str, Any]
    "Changes to the demo that is run."
    one_pair: dict[str, Any]
    "Changes to the demo whose cells are timed."
    many: dict[str, Any]
    "Changes to the demo that is planned."
    finished_pairs: int
    finished_tasks: int


ARMS = ["base-0shot", "base-3shot", "base-5shot", "tuned-0shot-chat", "tuned-5shot-chat"]
FULL = Scale(
    demo={},
    one_pair={"pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}]},
    many={"arms": ARMS, "draws": 22},
    finished_pairs=100,
    finished_tasks=300,
)
SMOKE = Scale(SMALL, SMALL, {**SMALL, "arms": ARMS}, finished_pairs=5, finished_tasks=4)


def time_workers(folder: Path, scale: Scale) -> bool:
    """Time one worker and two; whether their scores are equal."""
    seconds, scores = [], []
    for workers in (1, 2):
        run = demo_run(folder / str(workers), **scale.demo)
        seconds.append(timed_run(run, workers))
        scores.append(cell_scores(run))
    equal = scores[0] == scores[1]
    print(
        f"one CPU worker with all cores: {seconds[0]:.0f} s, two: {seconds[1]:.0f} s; "
        f"{seconds[0] / seconds[1]:.2f}x; {len(scores[0])} scores {'equal' if equal else 'DIFFER'}",
        flush=True,
    )
    return equal


class Stopwatch:
    """Adds up the time spent in functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def measuring(self, owner: Any, name: str) -> Iterator[None]:
        """Context in which the time of a function of a module or class is measured."""
        function: Callable[..., Any] = getattr(owner, name)

        def measured(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - start

        setattr(owner, name, measured)
        try:
            yield
        finally:
            setattr(owner, name, function)


def time_cells(folder: Path, scale: Scale) -> bool:
    """Time what a cell takes beyond rendering, computing and scoring; whether any was run."""
    from study.planning.plan_study import plan_study
    from study.running.cells import run_cell
    from study.running.cells.run_model import ModelRunner
    from study.tasks.lm_eval.library import TaskLibrary

    run = demo_run(folder / "cells", **scale.one_pair)
    planned = plan_study(run)
    work = Stopwatch()
    seconds, cells = 0.0, 0
    with (
        work.measuring(run_cell, "render_prompts"),
        work.measuring(run_cell, "collect_responses"),
        work.measuring(run_cell, "score_cell"),
        work.measuring(TaskLibrary, "load_items"),
    ):
        runner = ModelRunner(run, "cpu")
        for job in planned.plan.jobs:
            events = runner.run_job(job)
            for event in events:
                if event.kind == "loaded":
                    break
            start = time.perf_counter()
            cells += sum(event.kind == "cell" for event in events)
            seconds += time.perf_counter() - start
    added = (seconds - work.seconds) / cells
    print(
        f"{cells} cells: {seconds / cells * 1e3:.1f} ms each, of which {added * 1e3:.1f} ms are "
        "neither rendering, computing nor scoring",
        flush=True,
    )
    times = sorted(timed_command([str(BIN / "study"), "--help"]) for _ in range(3))
    print(f"study --help: {times[1]:.2f} s (median of 3)", flush=True)
    return cells > 0


def time_many_cells(folder: Path, scale: Scale) -> bool:
    """Time planning many cells and loading as many; whether both ways of loading agree."""
    plan_many(folder, scale)
    return load_many(folder, scale)


def plan_many(folder: Path, scale: Scale) -> None:
    """Time the planning of many cells, and the estimate of their cost."""
    from study.planning.cost.estimate import estimate
    from study.planning.plan import make_plan
    from study.planning.plan_study import plan_study

    run = demo_run(folder / "planned", **scale.many)
    start = time.perf_counter()
    planned = plan_study(run)
    everything = time.perf_counter() - start
    start = time.perf_counter()
    plan = make_plan(planned.resolved)
    planning = time.perf_counter() - start
    start = time.perf_counter()
    estimate(planned.resolved, plan, frozenset())
    estimating = time.perf_counter() - start
    print(
        f"{len(plan.rows)} cells planned in {planning:.1f} s, {everything:.1f} s with lm-eval's "
        f"tasks and the digests of models; their cost estimated in {estimating:.1f} s",
        flush=True,
    )


def load_many(folder: Path, scale: Scale) -> bool:
    """Time loading the scores of finished cells; whether bundles hold the same scores."""
    from analysis.data.scores import load_scores

    arms, pairs, tasks = ("base-5shot",), scale.finished_pairs, scale.finished_tasks
    run = grid_run(folder / "finished", arms, tasks)
    write_finished_cells(run, grid_rows(arms, pairs, 20, tasks), ITEMS)
    start = time.perf_counter()
    loose = load_scores(run)
    loose_seconds = time.perf_counter() - start
    compact(run.cells)
    start = time.perf_counter()
    bundled = load_scores(run)
    bundled_seconds = time.perf_counter() - start
    equal = loose.equals(bundled)
    print(
        f"{len(bundled)} finished cells loaded: {loose_seconds:.1f} s from files of their own, "
        f"{bundled_seconds:.1f} s from bundles; {'equal' if equal else 'DIFFER'}",
        flush=True,
    )
    return equal


def main() -> int:
    """Run the chosen parts, or all; 0 if scores agree."""
    parts = {"workers": time_workers, "cells": time_cells, "many": time_many_cells}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"{', '.join(parts)}; by default all")
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    arguments = parser.parse_args()
    scale = SMOKE if arguments.smoke else FULL
    equal = True
    for name in arguments.parts or parts:
        with tempfile.TemporaryDirectory() as folder:
            equal &= parts[name](Path(folder), scale)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
