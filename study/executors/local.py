"""This machine: one worker process per device, each with its device alone.

In: jobs. Out: their events, as they happen. A worker takes the next job when it is free, the
largest model first; if one dies, its job is reported as failed and another takes its place.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from study.design import Study
from study.lifeline import end_with_parent
from study.plan import Job
from study.running import Event, Runner


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    device: str
    job: Job | None = None


def default_devices() -> list[str]:
    """Every GPU, or without one a CPU worker per core."""
    import torch

    if torch.cuda.is_available():
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu"] * (os.cpu_count() or 1)


def run_jobs(jobs: list[Job], study: Study, run: Path, devices: list[str]) -> Iterator[Event]:
    """Runs all jobs; yields events until none is left."""
    waiting = sorted(jobs, key=lambda job: -job.params_b * len(job.cells))
    threads = max(1, (os.cpu_count() or 1) // max(1, devices.count("cpu")))
    workers = [_start(device, study, run, threads) for device in devices[: len(waiting)]]
    try:
        while workers:
            by_pipe = {worker.pipe: worker for worker in workers}
            for pipe in wait(list(by_pipe)):
                worker = by_pipe[pipe]  # type: ignore[index]
                try:
                    event = worker.pipe.recv()
                except (EOFError, OSError):
                    worker.process.join()
                    workers.remove(worker)
                    if worker.job is not None:
                        reason = f"its worker ended with exit code {worker.process.exitcode}"
                        yield Event("failed", worker.job.model.name, reason=reason)
                        if waiting:
                            workers.append(_start(worker.device, study, run, threads))
                    continue
                if event.kind != "ready":
                    yield event
                    continue
                worker.job = waiting.pop(0) if waiting else None
                worker.pipe.send(worker.job)
        for job in waiting:
            yield Event("failed", job.model.name, reason="no worker could be started")
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def _start(device: str, study: Study, run: Path, threads: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, device, study, run, threads))
    process.start()
    theirs.close()
    return _Worker(process, ours, device)


def _work(pipe: Connection, device: str, study: Study, run: Path, threads: int) -> None:
    """A worker's life: ask for a job, run it, tell what happens, until there is none."""
    end_with_parent()
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    import torch

    torch.set_num_threads(threads)
    runner = Runner(study, run, device)
    pipe.send(Event("ready", ""))
    while (job := pipe.recv()) is not None:
        for event in runner.job(job):
            pipe.send(event)
        pipe.send(Event("ready", ""))
