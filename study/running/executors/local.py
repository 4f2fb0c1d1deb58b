"""This machine: one worker process per device, each with its device alone.

In: jobs, the longest first. Out: their events, as they happen. Models that need several GPUs come
first, else the order stays; a free worker takes the next. One that dies, or is not heard of for too
long, is replaced, and its job tried again with half the tokens at once, then set aside with its
log. While a model computes, the next one's weights are read.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.hardware import cores_of, device_bytes, devices_needed
from study.models.pairs import ModelRef
from study.planning.plan import Job
from study.running.events import Event
from study.running.executors.retries import Attempt, cause_of_death
from study.running.executors.weight_prefetch import read_ahead
from study.running.executors.worker import START_LOG, Place, last_line, log_file, work

LOOKED_SECONDS = 1.0
"How often workers are looked after that say nothing."
PATIENCE_SECONDS = 4.0
"How long workers that are asked to go may take."
UNBORN = 3
"So many workers that die before their first job, one after the other, and there is no point."


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    places: tuple[int, ...]
    "Numbers of its devices."
    attempt: Attempt | None = None
    ready: bool = False
    heard: float = field(default_factory=time.monotonic)


class Local:
    """The devices of this machine, and the workers on them."""

    def __init__(
        self,
        study: Study,
        run: Path,
        devices: list[str],
        folders: Mapping[ModelRef, Path],
        stall_seconds: float,
    ) -> None:
        self.study, self.run, self.devices, self.folders = study, run, devices, folders
        self.stall_seconds = stall_seconds
        self.memory = device_bytes(devices[0])
        self.cores = cores_of(len(devices))
        self.workers: list[_Worker] = []
        self.unborn = 0
        self.waiting: list[tuple[int, Attempt]] = []
        "(devices needed, attempt), the next one first."

    def events(self, jobs: list[Job]) -> Generator[Event, None, None]:
        """Runs all jobs; yields events until none is left. Closing it ends the workers."""
        for job in jobs:
            needed = devices_needed(job, self.study.dtype, self.memory)
            if needed > len(self.devices):
                why = f"it needs {needed} devices like these, there are {len(self.devices)}"
                yield Event("failed", job.model.name, reason=why)
            else:
                self.waiting.append((needed, Attempt(job)))
        self.waiting.sort(key=lambda entry: -entry[0])
        try:
            while self.waiting or any(worker.attempt for worker in self.workers):
                self._hand_out()
                pipes = {worker.pipe: worker for worker in self.workers}
                for pipe in wait(list(pipes), timeout=LOOKED_SECONDS):
                    yield from self._hear(pipes[pipe])  # type: ignore[index]
                yield from self._look_after()
        finally:
            _end(self.workers)

    def _hand_out(self) -> None:
        """Gives the first of those that wait to free devices, while there are enough of them."""
        while self.waiting:
            needed, attempt = self.waiting[0]
            idle = [w for w in self.workers if w.ready and len(w.places) == needed]
            if idle:
                self.waiting.pop(0)
                worker = idle[0]
                worker.attempt, worker.ready, worker.heard = attempt, False, time.monotonic()
                try:
                    worker.pipe.send(attempt)
                except OSError:
                    return  # it has just died, which is found out next
                if self.waiting:
                    read_ahead(self.folders[self.waiting[0][1].job.model])
                continue
            if not self._make_room(needed):
                return

    def _make_room(self, needed: int) -> bool:
        """Starts a worker on free devices; ends idle ones of another size for it. Whether any was
        ended, so that room has to be looked for again."""
        starting = sum(not w.ready and w.attempt is None for w in self.workers)
        if starting >= len([entry for entry in self.waiting if entry[0] == needed]):
            return False
        taken = {place for worker in self.workers for place in worker.places}
        free = [place for place in range(len(self.devices)) if place not in taken]
        if len(free) >= needed:
            self._start(tuple(free[:needed]))
            return True
        other = next((w for w in self.workers if w.ready and len(w.places) != needed), None)
        if other is None:
            return False
        self.workers.remove(other)
        _end([other])
        return True

    def _start(self, places: tuple[int, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        cores = frozenset().union(*(self.cores[place] for place in places))
        place = Place(tuple(self.devices[i] for i in places), cores, time.monotonic())
        process = context.Process(target=work, args=(theirs, place, self.study, self.run))
        process.start()
        theirs.close()
        self.workers.append(_Worker(process, ours, places))

    def _hear(self, worker: _Worker) -> Iterator[Event]:
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            yield from self._died(worker, cause_of_death(worker.process.exitcode))
            return
        worker.heard = time.monotonic()
        if event.kind in ("ready", "leaving"):
            worker.ready, worker.attempt = event.kind == "ready", None
            self.unborn = 0
        elif event.kind != "alive":
            yield event

    def _look_after(self) -> Iterator[Event]:
        for worker in list(self.workers):
            silent = time.monotonic() - worker.heard
            if not worker.ready and silent > self.stall_seconds:
                _end([worker], patience=0.0)
                why = f"its worker did nothing for {silent:.0f} s and was killed"
                yield from self._died(worker, why)

    def _died(self, worker: _Worker, why: str) -> Iterator[Event]:
        self.workers.remove(worker)
        if worker.attempt is None:
            self.unborn += worker.process.exitcode != 0
            if self.unborn >= UNBORN:
                for _, attempt in self.waiting:
                    reason = f"no worker could be started: {why}. {self._log(START_LOG)}"
                    yield Event("failed", attempt.job.model.name, reason=reason)
                self.waiting.clear()
            return
        name, again = worker.attempt.job.model.name, worker.attempt.after_death()
        if again is not None:
            self.waiting.insert(0, (len(worker.places), again))
            yield Event("retried", name, reason=f"{why}; tried again with half the tokens at once")
        else:
            yield Event("failed", name, reason=f"{why}, twice; set aside. {self._log(name)}")

    def _log(self, model: str) -> str:
        log = log_file(self.run, model)
        said = last_line(log)
        return f"Its log is {log}" + (f" and ends with {said!r}" if said else "")


def _end(workers: Sequence[_Worker], *, patience: float = PATIENCE_SECONDS) -> None:
    """Asks all to go, and does not ask those again that do not."""
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + patience
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
