"""A Slurm job on its node: the cells of one model, run as on any other machine.

In: the folder of a submission and the job's index, as arguments of the process. Out: cells in the
store, the job's state beside them, and a line for each event in Slurm's log. A job that reaches its
time limit or is preempted is requeued and resumes; one that uses up its time repeatedly without
finishing a cell is set aside.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from pydantic import Field, ValidationError

from study.errors import StudyError, printable
from study.hardware import CPU, check_devices
from study.processes import StoppedError, stop_on_signals
from study.results.files import write_whole
from study.results.run import Run
from study.running.events import Event
from study.running.executors.slurm.queue import requeue
from study.running.executors.slurm.submissions import JobDescription, job_file, read_job
from study.running.executors.worker_pool import WorkerPool
from study.running.job_states import record, recorded
from study.tuning.identity import steps_done
from study.validation import Strict

EARLY_NOTICE_SECONDS = 60
"Slurm may notify a job this much earlier than requested (man sbatch)."
MAX_IDLE_REQUEUES = 2
"A job is set aside when it has used up its time this often without finishing a cell."


class NoticeError(BaseException):
    """Slurm announces the end of the job's time, or its preemption."""


class Requeues(Strict):
    """What a job leaves to its next start."""

    idle: int = Field(default=0, ge=0)
    "How often in a row it has used up its time without finishing a cell."


class ModelJob:
    """The remaining cells of a model, from the start of the job to its end or its requeue."""

    def __init__(self, folder: Path, index: int, description: JobDescription) -> None:
        """`folder`: the submission's, within the run's results."""
        self.description, self.job = description, description.job
        self.requeues_file = job_file(folder, index).with_suffix(".requeues")
        self.run = Run(description.study.located(folder.parents[2]))
        self.started, self.initial_progress = time.monotonic(), self.progress()

    def evaluate(self) -> list[str]:
        """Run what remains of the job; returns what failed."""
        failures = []
        with closing(recorded(self.events(), self.run.results, _queue_job())) as events:
            for event in events:
                parts = filter(None, (event.kind, event.model, event.cell, event.reason))
                _log(" ".join(parts))
                if event.kind == "failed":
                    failures.append(event.failure())
        return failures

    def events(self) -> Generator[Event, None, None]:
        """Run what remains of the job; yields its events."""
        try:
            devices = self.devices()
        except StudyError as error:
            yield Event("failed", self.job.model.name, reason=str(error))
            return
        pool = WorkerPool(self.run, devices, self.description.stall_seconds)
        with closing(pool.events([self.job])) as events:
            yield from events

    def devices(self) -> list[str]:
        """The devices of the job; StudyError if the node does not have them."""
        if self.description.devices:
            check_devices(self.description.devices)
            return self.description.devices
        requested = self.description.resources.gpus
        if requested == 0:
            return [CPU]
        import torch

        available = torch.cuda.device_count()
        if available < requested:
            raise StudyError(
                "the node",
                found=f"{available} GPUs that torch can use",
                expected=f"{requested}, as study.yaml requests",
                do="Check the node's driver and the installed build of torch",
            )
        return [f"cuda:{i}" for i in range(requested)]

    def resumes(self) -> bool:
        """After a notice, whether the job is to be requeued; otherwise it is set aside."""
        resources = self.description.resources
        elapsed = time.monotonic() - self.started
        notice = resources.notice_seconds + EARLY_NOTICE_SECONDS
        idle = self._idle_requeues()
        if self.progress() > self.initial_progress:
            idle = 0
        elif elapsed > 60 * resources.minutes - notice:  # otherwise it was preempted
            idle += 1
        write_whole(self.requeues_file, Requeues(idle=idle).model_dump_json().encode())
        if idle < MAX_IDLE_REQUEUES:
            return True
        reason = (
            f"no cell finished in {MAX_IDLE_REQUEUES} × {resources.hours:g} hours; set aside. "
            "Give it more time"
        )
        record(self.run.results, self.job.model.name, "failed", (reason,), _queue_job())
        return False

    def progress(self) -> int:
        """Number of finished cells and training steps."""
        done = self.run.cells.done()
        cells = sum(cell.key in done for cell in self.job.cells)
        return cells + (steps_done(self.run, self.job.tuned) if self.job.tuned else 0)

    def _idle_requeues(self) -> int:
        try:
            return Requeues.model_validate_json(self.requeues_file.read_bytes()).idle
        except FileNotFoundError:
            return 0
        except ValidationError:
            raise StudyError(
                self.requeues_file,
                found="no count of requeues",
                expected="what an earlier start of this job wrote",
                do="Delete the file",
            ) from None


def main() -> None:
    """Run the job that the arguments name, and exit: 0 if it is done or requeued, 1 if anything
    failed, 2 if its description is invalid."""
    stop_on_signals()
    signal.signal(signal.SIGUSR2, _notify)
    # A node has no network, or should not use it: everything was staged.
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    folder, index = Path(sys.argv[1]), int(sys.argv[2])
    try:
        job = ModelJob(folder, index, read_job(folder, index))
        try:
            failures = job.evaluate()
        except NoticeError:
            if job.resumes():
                requeue(_identifier())
                _log(f"Requeued job {_identifier()}")
            failures = []
    except StudyError as error:
        _log(f"error: {error}")
        sys.exit(2)
    except StoppedError as stop:
        sys.exit(stop.exit_code)
    sys.exit(1 if failures else 0)


def _notify(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second notice must not interrupt unwinding
    raise NoticeError


def _log(line: str) -> None:
    print(printable(line), flush=True)  # noqa: T201, to Slurm's log


def _identifier() -> str:
    """The number of this job, with its index in the array."""
    array, index = (os.environ.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    return f"{array}_{index}" if array else os.environ.get("SLURM_JOB_ID", "")


def _queue_job() -> str:
    """The queue and the number of this job."""
    return f"slurm {_identifier()}"


if __name__ == "__main__":
    main()
