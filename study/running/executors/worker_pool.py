"""The worker processes of this machine, each with its devices to itself.

In: jobs, in the order in which they are to be started. Out: their events, as they happen. Models
that need several GPUs come first; otherwise the order is kept, and a free worker takes the next. A
worker that dies, or is silent for too long, is replaced, and its job is retried or set aside with
its log, as `retries.py` decides. While a model computes, the next one's weights are read.

Jobs go to workers through pipes that only the two processes have: multiprocessing pickles them, and
nothing pickled is ever in a file.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from study.hardware import device_bytes, devices_needed, split_cores
from study.models.pairs import ModelRef
from study.planning.plan import Job
from study.processes import uninterrupted
from study.results.run import Run
from study.running.events import Event
from study.running.executors.retries import Attempt, Death
from study.running.executors.weight_prefetch import prefetch_weights
from study.running.executors.worker import START_LOG, WorkerDevices, last_line, log_file, work

CHECK_SECONDS = 1.0
"Time between two checks of silent workers."
STOP_SECONDS = 4.0
"Time that workers get to stop before they are killed."
MAX_FAILED_STARTS = 3
"Consecutive workers that may die before their first job; then the remaining jobs fail."


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    devices: tuple[int, ...]
    "Indices of its devices."
    attempt: Attempt | None = None
    ready: bool = False
    last_event: float = field(default_factory=time.monotonic)


class WorkerPool:
    """The devices of this machine, and the workers on them."""

    def __init__(
        self,
        run: Run,
        devices: list[str],
        stall_seconds: float,
        folders: Mapping[ModelRef, Path] | None = None,
    ) -> None:
        """`folders`: folders of models, whose weights are read before they are loaded."""
        self.run, self.devices, self.stall_seconds = run, devices, stall_seconds
        self.folders = folders or {}
        self.memory = device_bytes(devices[0])
        self.cores = split_cores(len(devices))
        self.workers: list[_Worker] = []
        self.failed_starts = 0
        self.queue: list[tuple[int, Attempt]] = []
        "(devices needed, attempt), the next one first."

    def events(self, jobs: Sequence[Job]) -> Generator[Event, None, None]:
        """Run all jobs; yields events until none remains. Closing the generator ends the
        workers."""
        for job in jobs:
            needed = devices_needed(job.params_b, self.run.study.dtype, self.memory)
            if needed > len(self.devices):
                reason = f"needs {needed} such devices, and there are {len(self.devices)}"
                yield Event("failed", job.model.name, reason=reason)
            else:
                self.queue.append((needed, Attempt(job)))
        self.queue.sort(key=lambda entry: -entry[0])
        try:
            while self.queue or any(worker.attempt for worker in self.workers):
                self._assign()
                pipes = {worker.pipe: worker for worker in self.workers}
                for pipe in wait(list(pipes), timeout=CHECK_SECONDS):
                    yield from self._receive(pipes[pipe])  # type: ignore[index]
                yield from self._check_silent()
        finally:
            _stop(self.workers)

    def _assign(self) -> None:
        """Assign the first queued attempts to free devices, while there are enough of them."""
        while self.queue:
            needed, attempt = self.queue[0]
            idle = [w for w in self.workers if w.ready and len(w.devices) == needed]
            if not idle:
                if not self._provide_worker(needed):
                    return
                continue
            self.queue.pop(0)
            worker = idle[0]
            worker.attempt, worker.ready, worker.last_event = attempt, False, time.monotonic()
            try:
                worker.pipe.send(attempt)
            except OSError:
                return  # it has just died, which the next check detects
            if self.queue:
                folder = self.folders.get(self.queue[0][1].job.model)
                if folder is not None:
                    prefetch_weights(folder)

    def _provide_worker(self, needed: int) -> bool:
        """Start a worker on free devices, or end an idle one with another number of devices.

        Returns whether anything was done, so that the caller looks again.
        """
        starting = sum(not w.ready and w.attempt is None for w in self.workers)
        if starting >= len([entry for entry in self.queue if entry[0] == needed]):
            return False
        taken = {device for worker in self.workers for device in worker.devices}
        free = [device for device in range(len(self.devices)) if device not in taken]
        if len(free) >= needed:
            self._start(tuple(free[:needed]))
            return True
        other = next((w for w in self.workers if w.ready and len(w.devices) != needed), None)
        if other is None:
            return False
        self.workers.remove(other)
        _stop([other])
        return True

    def _start(self, indices: tuple[int, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        pipe, worker_pipe = context.Pipe()
        cores = frozenset().union(*(self.cores[index] for index in indices))
        names = tuple(self.devices[index] for index in indices)
        devices = WorkerDevices(names, cores, time.monotonic())
        process = context.Process(target=work, args=(worker_pipe, devices, self.run))
        with uninterrupted():
            process.start()
            self.workers.append(_Worker(process, pipe, indices))
        worker_pipe.close()

    def _receive(self, worker: _Worker) -> Iterator[Event]:
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            yield from self._replace(worker, Death(worker.process.exitcode))
            return
        worker.last_event = time.monotonic()
        if event.kind in ("ready", "leaving"):
            worker.ready, worker.attempt = event.kind == "ready", None
            self.failed_starts = 0
        elif event.kind != "alive":
            yield event

    def _check_silent(self) -> Iterator[Event]:
        for worker in list(self.workers):
            silent = time.monotonic() - worker.last_event
            if not worker.ready and silent > self.stall_seconds:
                _stop([worker], patience=0.0)
                yield from self._replace(worker, Death(worker.process.exitcode, silent))

    def _replace(self, worker: _Worker, death: Death) -> Iterator[Event]:
        """Retry a dead worker's job, or set it aside."""
        self.workers.remove(worker)
        if worker.attempt is None:
            self.failed_starts += worker.process.exitcode != 0
            if self.failed_starts >= MAX_FAILED_STARTS:
                for _, attempt in self.queue:
                    reason = f"no worker could be started: {death}. {self._log(START_LOG)}"
                    yield Event("failed", attempt.job.model.name, reason=reason)
                self.queue.clear()
            return
        attempt = worker.attempt
        name, retry = attempt.job.model.name, attempt.after_death(death)
        if retry is not None:
            self.queue.insert(0, (len(worker.devices), retry))
            halved = retry.memory_share < attempt.memory_share
            how = "with half the tokens at once" if halved else "unchanged"
            yield Event("retried", name, reason=f"{death}; retrying {how}")
        else:
            again = ", at the second attempt" if attempt.number > 1 else ""
            reason = f"{death}{again}; set aside. {self._log(name)}"
            yield Event("failed", name, reason=reason)

    def _log(self, model: str) -> str:
        log = log_file(self.run.results, model)
        line = last_line(log)
        return f"Its log is {log}" + (f" and ends with {line!r}" if line else "")


def _stop(workers: Sequence[_Worker], *, patience: float = STOP_SECONDS) -> None:
    """Ask workers to stop, and kill those that do not."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + patience
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
