"""A Slurm job on its node: the cells of one model, run as on any other machine.

In: a pickled `ModelJob`. Out: cells in the store, the job's state beside them, and a line for each
event in Slurm's log. A job that reaches its time limit or is preempted is requeued and resumes; one
that uses up its time repeatedly without finishing a cell is set aside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from study.config.executors import SlurmResources
from study.planning.plan import Job
from study.processes import stop_on_sigterm
from study.results.run import Run
from study.running.events import Event
from study.running.executors.worker_pool import WorkerPool
from study.running.job_states import record, recorded
from study.tuning.identity import steps_done

EARLY_NOTICE_SECONDS = 60
"Slurm may notify a job this much earlier than requested (man sbatch)."
MAX_IDLE_REQUEUES = 2
"A job is set aside when it has used up its time this often without finishing a cell."


@dataclass
class ModelJob:
    """The remaining cells of a model, with the job's resources."""

    run: Run
    job: Job
    resources: SlurmResources
    devices: list[str] | None
    "Those given by the user; None: the job's GPUs, or the CPU if it has none."
    stall_seconds: float
    started: float = field(default=0.0)
    initial_progress: int = field(default=0)
    idle_requeues: int = field(default=0)

    def __call__(self) -> list[str]:
        """Run what remains of the job; returns what failed."""
        stop_on_sigterm()
        # A node has no network, or should not use it: everything was staged.
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
        self.started, self.initial_progress = time.monotonic(), self._progress()
        failures = []
        with closing(recorded(self._events(), self.run.results, _queue_job())) as events:
            for event in events:
                print(" ".join(filter(None, (event.kind, event.model, event.cell, event.reason))))
                if event.kind == "failed":
                    failures.append(f"{event.cell} {event.reason}".strip())
        return failures

    def checkpoint(self) -> Any:
        """What is requeued; None if the job is set aside. Submitit calls this method."""
        from submitit.helpers import DelayedSubmission

        elapsed = time.monotonic() - self.started
        notice = self.resources.notice_seconds + EARLY_NOTICE_SECONDS
        if self._progress() > self.initial_progress:
            self.idle_requeues = 0
        elif elapsed > 60 * self.resources.minutes - notice:  # otherwise it was preempted
            self.idle_requeues += 1
        if self.idle_requeues == MAX_IDLE_REQUEUES:
            reason = (
                f"no cell finished in {MAX_IDLE_REQUEUES} × {self.resources.hours:g} hours; set "
                "aside. Give it more time"
            )
            record(self.run.results, self.job.model.name, "failed", (reason,), _queue_job())
            return None
        return DelayedSubmission(self)

    def _events(self) -> Generator[Event, None, None]:
        try:
            devices = self.devices or self._own_devices()
        except RuntimeError as error:
            yield Event("failed", self.job.model.name, reason=str(error))
            return
        pool = WorkerPool(self.run, devices, self.stall_seconds)
        with closing(pool.events([self.job])) as events:
            yield from events

    def _own_devices(self) -> list[str]:
        if self.resources.gpus == 0:
            return ["cpu"]
        import torch

        available = torch.cuda.device_count()
        if available < self.resources.gpus:
            raise RuntimeError(
                f"found {available} GPUs that torch can use; expected {self.resources.gpus}, as "
                "study.yaml requests. Check the node's driver and the installed build of torch"
            )
        return [f"cuda:{i}" for i in range(self.resources.gpus)]

    def _progress(self) -> int:
        """Number of finished cells and training steps."""
        done = self.run.cells.done()
        cells = sum(cell.key in done for cell in self.job.cells)
        return cells + (steps_done(self.run, self.job.tuned) if self.job.tuned else 0)


def _queue_job() -> str:
    """This job in Slurm's queue, with its index in the array."""
    array, index = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    return f"slurm {array}_{index}" if array else f"slurm {os.environ.get('SLURM_JOB_ID', '')}"
