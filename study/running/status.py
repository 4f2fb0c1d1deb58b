"""What has become of a run's jobs, wherever they run.

In: a run's folder, and Slurm's queue where jobs were submitted. Out: one row for each model: it
waits, runs, is done or failed. Needs neither torch nor lm-eval.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from study.results.cell_store.store import Cells
from study.results.ledger import read_ledger
from study.running.executors.slurm.executor import models_in_queue, slurm_logs
from study.running.executors.slurm.queue import Queued
from study.running.executors.worker import last_line, log_file
from study.running.job_states import JobState, job_states

ABSENT = "some of what it needs is not on this machine; `study plan` says what"


@dataclass(frozen=True)
class JobStatus:
    """A model's job, now."""

    model: str
    state: Literal["waits", "runs", "done", "failed"]
    cells: int
    done: int
    where: str = ""
    "Slurm's number or the machine and process."
    why: str = ""
    "Of one that failed or waits in a queue: the reason."
    log: str = ""
    "Of one that failed: its log."
    last_line: str = ""
    "Of that log."


def job_statuses(run: Path) -> list[JobStatus]:
    """All models of the run as it was last planned, in the plan's order."""
    done = Cells(run).done()
    cells: dict[str, set[str]] = {}
    for row in read_ledger(run)["rows"]:
        # A cell without a key is of a model or a task that is not at hand.
        key = row["key"] or f"{row['arm']} {row['task']} {row['draw']}"
        cells.setdefault(row["model"], set()).add(key)
    told, in_queue = job_states(run), models_in_queue(run)
    return [
        _status(run, model, keys, done, told.get(model), in_queue.get(model))
        for model, keys in cells.items()
    ]


def _status(
    run: Path,
    model: str,
    keys: set[str],
    done: set[str],
    told: JobState | None,
    task: Queued | None,
) -> JobStatus:
    number, finished = len(keys), len(keys & done)
    if finished == number:
        return JobStatus(model, "done", number, finished)
    if task is not None:
        state: Literal["waits", "runs"] = "waits" if task.waits else "runs"
        where = f"slurm {task.identifier}"
        again = "; `study run --on slurm` lets it go again" if task.held else ""
        return JobStatus(model, state, number, finished, where, task.reason + again)
    if told is None or told.state == "done":
        return JobStatus(
            model, "waits", number, finished, why=ABSENT if " " in "".join(keys) else ""
        )
    runner = told.runner
    where = f"slurm {runner.slurm}" if runner.slurm else f"{runner.host}, process {runner.pid}"
    if told.state == "failed":
        return _failed(run, model, number, finished, where, "; ".join(told.failures))
    if not runner.slurm and runner.alive() is not False:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(told.at))
        return JobStatus(model, "runs", number, finished, where, f"since {since}")
    if runner.slurm:
        why = "its job has left the queue before it was done"
        return _failed(run, model, number, finished, where, why)
    return JobStatus(model, "waits", number, finished, why="the run was stopped")


def _failed(run: Path, model: str, number: int, finished: int, where: str, why: str) -> JobStatus:
    """With the latest of its logs: the worker's own, or what Slurm wrote of it."""
    saying = [log for log in (log_file(run, model), *slurm_logs(run, model)) if last_line(log)]
    log = max(saying, key=lambda path: path.stat().st_mtime, default=None)
    return JobStatus(model, "failed", number, finished, where, why, str(log or ""),
                     last_line(log) if log else "")  # fmt: skip


def status_text(statuses: Iterable[JobStatus]) -> str:
    """For a reader."""
    statuses = list(statuses)
    counts = [
        f"{sum(s.state == state for s in statuses)} {said}"
        for state, said in (("done", "done"), ("runs", "running"), ("waits", "waiting"),
                            ("failed", "failed"))
    ]  # fmt: skip
    cells, done = sum(s.cells for s in statuses), sum(s.done for s in statuses)
    lines = [f"{len(statuses)} models: {', '.join(counts)}; {done} of {cells} cells done", ""]
    for status in statuses:
        rest = "  ".join(filter(None, (status.where, status.why)))
        lines.append(
            f"{status.model[:52]:<52} {status.state:<7} {status.done:>6}/{status.cells:<6} {rest}"
        )
        if status.log:
            lines.append(f"    {status.log}: {status.last_line}")
    return "\n".join(line.rstrip() for line in lines)
