"""A worker process: one device, or several for one model, and one job after the other.

In: attempts, through a pipe. Out: their events, through the same pipe; what libraries print goes to
a log for each model. It sees no device but its own, and ends when its parent does, when its device
no longer answers, or when a model's memory is not given back.
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
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.processes import end_with_parent
from study.results.cell_store.store import results_folder
from study.results.files import file_name
from study.running.cells.run_model import DeviceLostError, Runner
from study.running.events import Event
from study.running.executors.retries import POISONED

ALIVE_SECONDS = 1.0
"How often a working model is heard of, at most."
START_LOG = "starting"
"Name of the log of what happens before the first model."
KEPT_BYTES = 2**28
"Device memory that may stay allocated between two models."


@dataclass(frozen=True)
class Place:
    """What a worker may use."""

    devices: tuple[str, ...]
    "`cpu`, or GPUs as this process would number them."
    cores: frozenset[int]
    started: float
    "When it was made, by the machine's monotonic clock."

    def isolate(self) -> str:
        """Hides all other devices from this process; returns what its own is called now."""
        os.sched_setaffinity(0, self.cores)
        if self.devices[0] == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
            return "cpu"
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = seen.split(",") if seen else None
        numbers = [int(device.partition(":")[2] or 0) for device in self.devices]
        own = [names[number] if names else str(number) for number in numbers]
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        return "cuda:0"


def work(pipe: Connection, place: Place, study: Study, run: Path) -> None:
    """A worker's life: ask for a job, run it, tell what happens, until there is none."""
    for told_to_all in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
        signal.signal(told_to_all, signal.SIG_IGN)  # the parent says when to end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end_with_parent()
    _log_to(log_file(run, START_LOG))
    device = place.isolate()
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    import torch

    import_module("study.inference")  # takes seconds: of the start, not of the first model
    gc.freeze()  # libraries stay: collecting after each model need not walk through them

    torch.set_num_threads(len(place.cores))
    runner = Runner(
        study,
        run,
        device,
        on_pass=_heartbeat(pipe),
        on_tuning=_telling(pipe),
        spread=len(place.devices) > 1,
        start_seconds=time.monotonic() - place.started,
    )
    pipe.send(Event("ready", ""))
    while (attempt := pipe.recv()) is not None:
        _log_to(log_file(run, attempt.job.model.name))
        try:
            for event in runner.job(attempt.job, memory_share=attempt.memory_share):
                pipe.send(event)
        except DeviceLostError:
            traceback.print_exc()
            sys.exit(POISONED)
        if not _memory_is_back(device):
            pipe.send(Event("leaving", ""))
            return
        pipe.send(Event("ready", ""))


def log_file(run: Path, model: str) -> Path:
    """Where a model's jobs leave what libraries print."""
    return results_folder(run) / "logs" / f"{file_name(model)}.log"


def last_line(log: Path) -> str:
    """Of a log; empty where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    file.close()
    faulthandler.enable(file=2, all_threads=False)


def _heartbeat(pipe: Connection) -> Any:
    """Tells the parent, at every forward pass but not too often, that work goes on."""
    told = 0.0

    def beat() -> None:
        nonlocal told
        if time.monotonic() - told > ALIVE_SECONDS:
            told = time.monotonic()
            pipe.send(Event("alive", ""))

    return beat


def _telling(pipe: Connection) -> Any:
    """Tells the parent how a training goes on, not too often."""
    told = 0.0

    def tell(model: str, what: str) -> None:
        nonlocal told
        if time.monotonic() - told > ALIVE_SECONDS:
            told = time.monotonic()
            pipe.send(Event("tuning", model, reason=what))

    return tell


def _memory_is_back(device: str) -> bool:
    gc.collect()
    if device == "cpu":
        return True
    import torch

    torch.cuda.empty_cache()
    kept = sum(torch.cuda.memory_allocated(i) for i in range(torch.cuda.device_count()))
    return kept <= KEPT_BYTES
