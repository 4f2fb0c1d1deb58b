"""What a Slurm job does on its node: the jobs of one model, as on any other machine.

In: a pickled `ModelJob`. Out: cells in the store, the job's state beside them, and a line for each
event in Slurm's log. A job that runs out of time or is preempted is queued again and goes on with
what is left; one that spends all its time without finishing a cell would do so for ever, and ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.config.executors import JobResources
from study.config.study import Study
from study.planning.plan import Job
from study.processes import stop_on_sigterm
from study.results.cell_store.store import Cells
from study.running.events import Event
from study.running.job_states import record, recorded
from study.tuning.identity import steps_done

SLURM_EARLY_SECONDS = 60
"So much earlier than it was asked to may Slurm tell a job that its time is over (man sbatch)."
FRUITLESS = 2
"So often may a job spend its whole time without finishing a cell."


@dataclass
class ModelJob:
    """All cells of a model that are left, with what they are given."""

    study: Study
    run: Path
    job: Job
    resources: JobResources
    devices: list[str] | None
    "Named by the user; None: the job's GPUs, or without any its cores."
    stall_seconds: float
    began: float = field(default=0.0)
    done_then: int = field(default=0)
    fruitless: int = field(default=0)

    def __call__(self) -> list[str]:
        """Runs what is left of the job; returns what failed."""
        stop_on_sigterm()
        # A node has no network, or should not use it: all was staged before.
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
        self.began, self.done_then = time.monotonic(), self._done()
        failures = []
        with closing(recorded(self._events(), self.run)) as events:
            for event in events:
                print(" ".join(filter(None, (event.kind, event.model, event.cell, event.reason))))
                if event.kind == "failed":
                    failures.append(f"{event.cell} {event.reason}".strip())
        return failures

    def checkpoint(self) -> Any:
        """What is to be queued again; None if there is no hope (the form is submitit's)."""
        from submitit.helpers import DelayedSubmission

        spent = time.monotonic() - self.began
        given = 60 * self.resources.minutes - self.resources.notice_seconds - SLURM_EARLY_SECONDS
        if self._done() > self.done_then:
            self.fruitless = 0
        elif spent > given:  # else it was preempted
            self.fruitless += 1
        if self.fruitless == FRUITLESS:
            why = f"{FRUITLESS} times {self.resources.hours:g} hours were not enough for one cell; "
            record(self.run, self.job.model.name, "failed", (why + "set aside. Give it more",))
            return None
        return DelayedSubmission(self)

    def _events(self) -> Generator[Event, None, None]:
        from study.running.executors.local import Local

        try:
            devices = self.devices or self._own_devices()
        except RuntimeError as error:
            yield Event("failed", self.job.model.name, reason=str(error))
            return
        place = Local(self.study, self.run, devices, {}, self.stall_seconds)
        with closing(place.events([self.job])) as events:
            yield from events

    def _own_devices(self) -> list[str]:
        if self.resources.gpus == 0:
            return ["cpu"]
        import torch

        seen = torch.cuda.device_count()
        if seen < self.resources.gpus:
            raise RuntimeError(
                f"found {seen} GPUs that torch can use; expected {self.resources.gpus}, as the "
                "study file asks of Slurm. Look at the node's driver and at torch's build"
            )
        return [f"cuda:{i}" for i in range(self.resources.gpus)]

    def _done(self) -> int:
        """Cells, and steps of a training."""
        done = Cells(self.run).done()
        cells = sum(cell.key in done for cell in self.job.cells)
        return cells + (steps_done(self.run, self.job.tuned) if self.job.tuned else 0)
