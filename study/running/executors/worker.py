"""A worker process: one device, or several for one model, and one job after the other.

In: attempts, through a pipe. Out: their events, through the same pipe; what libraries print goes to
a log per model. A worker sees its own devices only. It ends when its parent does, when its device
no longer responds, or when a model's memory is not released.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

from study.errors import printable
from study.processes import end_with_parent
from study.results.files import file_name
from study.results.run import Run
from study.running.cells.run_model import DeviceLostError, ModelRunner
from study.running.events import Event
from study.running.executors.retries import EXIT_DEVICE_LOST, EXIT_TERMINATED

MIN_REPORT_SECONDS = 1.0
"Minimum time between two heartbeats or training reports."
MAX_LINE = 400
"Characters of a log's last line."
START_LOG = "starting"
"Name of the log of what happens before the first model."
MAX_UNRELEASED_BYTES = 2**28
"Device memory that may stay allocated between two models."
FULL_COLLECTION_INTERVAL = 100
"""Collections of young garbage before an automatic full one, which traverses the cached prompts;
there is one after every model anyway."""


@dataclass(frozen=True)
class WorkerDevices:
    """The devices and cores of a worker."""

    devices: tuple[str, ...]
    "`cpu`, or GPUs as the parent process numbers them."
    cores: frozenset[int]
    started: float
    "When the worker was started, by the machine's monotonic clock."

    def isolate(self) -> str:
        """Hide all other devices from this process; returns the name of its own from now on."""
        os.sched_setaffinity(0, self.cores)
        if self.devices[0] == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
            return "cpu"
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else None
        indices = [int(device.partition(":")[2] or 0) for device in self.devices]
        selected = [names[index] if names else str(index) for index in indices]
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(selected)
        return "cuda:0"


def work(pipe: Connection, devices: WorkerDevices, run: Run) -> None:
    """Main function of a worker: wait for a job, run it and report events, until there is none."""
    for ignored in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
        signal.signal(ignored, signal.SIG_IGN)  # the parent decides when to end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    end_with_parent()
    _redirect_output(log_file(run.results, START_LOG))
    device = devices.isolate()
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    import torch

    import_module("study.inference")  # takes seconds; part of the start, not of the first model
    gc.freeze()  # libraries are permanent; collections between models need not traverse them
    gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTION_INTERVAL)

    torch.set_num_threads(len(devices.cores))
    report = _throttled(pipe)
    runner = ModelRunner(
        run,
        device,
        on_pass=lambda: report(Event("alive", "")),
        on_tuning=lambda model, step: report(Event("tuning", model, reason=step)),
        spread=len(devices.devices) > 1,
        start_seconds=time.monotonic() - devices.started,
    )
    pipe.send(Event("ready", ""))
    while (attempt := pipe.recv()) is not None:
        _redirect_output(log_file(run.results, attempt.job.model.name))
        try:
            for event in runner.run_job(attempt.job, memory_share=attempt.memory_share):
                pipe.send(event)
        except DeviceLostError:
            traceback.print_exc()
            sys.exit(EXIT_DEVICE_LOST)
        if not _memory_released(device):
            pipe.send(Event("leaving", ""))
            return
        pipe.send(Event("ready", ""))


def log_file(results: Path, model: str) -> Path:
    """The file with what libraries print during a model's jobs."""
    return results / "logs" / f"{file_name(model)}.log"


def last_line(log: Path) -> str:
    """The last non-empty line of a log, elided if it is long; empty if there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return printable(last, MAX_LINE)


def _redirect_output(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    file.close()
    faulthandler.enable(file=2, all_threads=False)


def _throttled(pipe: Connection) -> Callable[[Event], None]:
    """Sends events of a kind to the parent, not more often than every `MIN_REPORT_SECONDS`."""
    sent: dict[str, float] = {}

    def send(event: Event) -> None:
        now = time.monotonic()
        if now - sent.get(event.kind, 0.0) > MIN_REPORT_SECONDS:
            sent[event.kind] = now
            pipe.send(event)

    return send


def _memory_released(device: str) -> bool:
    gc.collect()
    if device == "cpu":
        return True
    import torch

    torch.cuda.empty_cache()
    allocated = sum(torch.cuda.memory_allocated(i) for i in range(torch.cuda.device_count()))
    return allocated <= MAX_UNRELEASED_BYTES
