"""The status of a run's jobs, on whichever executor they run.

In: a `Run`; the executors say what is active. Out: one `JobStatus` for each model. Needs neither
torch nor lm-eval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from study.errors import printable
from study.results.run import Run
from study.running.executors import EXECUTORS, ActiveJob
from study.running.executors.worker import last_line, log_file
from study.running.job_states import JobState, job_states

MISSING = "its weights or data are not on this machine; `study plan` lists what is missing"
MAX_MODEL = 52
"Characters of a model's name."
LABELS = {"done": "done", "runs": "running", "waits": "waiting", "failed": "failed"}
"States in the order of the summary, with their labels there."


@dataclass(frozen=True)
class JobStatus:
    """The status of a model's job."""

    model: str
    state: Literal["waits", "runs", "done", "failed"]
    cells: int
    done: int
    where: str = ""
    "The job in its queue, or the machine and process."
    why: str = ""
    "Why it failed or waits, or since when it runs."
    log: str = ""
    "Log of a failed job."
    last_line: str = ""
    "Last line of that log."


def job_statuses(run: Run) -> list[JobStatus]:
    """All models of the run as it was last planned, in the plan's order."""
    done = run.cells.done()
    keys: dict[str, set[str]] = {}
    missing: set[str] = set()
    for row in run.ledger.rows:
        # A cell without a key belongs to a model or a task that is not available.
        key = row["key"] or f"{row['arm']} {row['task']} {row['draw']}"
        keys.setdefault(row["model"], set()).add(key)
        if not row["key"]:
            missing.add(row["model"])
    records = job_states(run.results)
    active = {model: job for executor in EXECUTORS for model, job in executor(run).state().items()}
    return [
        _status(
            run,
            JobStatus(model, "waits", len(cells), len(cells & done)),
            records.get(model),
            active.get(model),
            is_missing=model in missing,
        )
        for model, cells in keys.items()
    ]


def _status(
    run: Run,
    status: JobStatus,
    record: JobState | None,
    active: ActiveJob | None,
    *,
    is_missing: bool,
) -> JobStatus:
    """Complete the status of a job, of which only the numbers of cells are known."""
    if status.done == status.cells:
        return replace(status, state="done")
    if active is not None:
        return replace(status, state=active.state, where=active.where, why=active.reason)
    if record is None or record.state == "done":
        return replace(status, why=MISSING if is_missing else "")
    if record.state == "failed":
        return _failed(run, status, record, "; ".join(record.failures))
    if record.runner.queue_job:
        return _failed(run, status, record, "its job left the queue before it was done")
    return replace(status, why="the run was interrupted")


def _failed(run: Run, status: JobStatus, record: JobState, reason: str) -> JobStatus:
    """With the latest of its logs: the worker's, or the queue's."""
    logs: list[Path] = [log_file(run.results, status.model)]
    logs += [log for executor in EXECUTORS for log in executor(run).logs(status.model)]
    written = [log for log in logs if last_line(log)]
    log = max(written, key=lambda path: path.stat().st_mtime, default=None)
    return replace(
        status,
        state="failed",
        where=record.runner.where,
        why=reason,
        log=str(log or ""),
        last_line=last_line(log) if log else "",
    )


def status_text(statuses: Iterable[JobStatus]) -> str:
    """The status for the terminal."""
    statuses = list(statuses)
    counts = ", ".join(
        f"{sum(status.state == state for status in statuses)} {label}"
        for state, label in LABELS.items()
    )
    total, done = sum(s.cells for s in statuses), sum(s.done for s in statuses)
    lines = [f"{len(statuses)} models: {counts}; {done} of {total} cells done", ""]
    for status in statuses:
        notes = printable("  ".join(filter(None, (status.where, status.why))))
        cells = f"{status.done:>6}/{status.cells:<6}"
        model = printable(status.model, MAX_MODEL)
        lines.append(f"{model:<{MAX_MODEL}} {LABELS[status.state]:<7} {cells} {notes}")
        if status.log:
            lines.append(f"    {status.log}: {status.last_line}")
    return "\n".join(line.rstrip() for line in lines)
