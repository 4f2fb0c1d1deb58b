"""Stopping a run from outside.

In: a run's folder. Out: its tasks taken out of Slurm's queue, its runners on this machine asked to
end; both can be continued by the command that began them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from study.running.executors.slurm.executor import models_in_queue
from study.running.executors.slurm.queue import cancel as cancel_in_slurm
from study.running.job_states import job_states


def cancel(run: Path) -> Iterator[str]:
    """Stops all that can be stopped from here; yields what was done, in words."""
    tasks = models_in_queue(run)
    cancel_in_slurm(tasks.values())
    if tasks:
        yield f"{len(tasks)} models taken out of Slurm's queue"
    states = job_states(run).values()
    runners = {s.runner for s in states if s.state == "running" and not s.runner.slurm}
    runners = {runner for runner in runners if runner.alive() is not False}
    for runner in sorted(runners, key=lambda runner: (runner.host, runner.pid)):
        if runner.alive():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(runner.pid, signal.SIGTERM)
            yield f"process {runner.pid} asked to end"
        else:
            yield f"process {runner.pid} runs on {runner.host}, if it does: stop it there"
    if not tasks and not runners:
        yield "nothing to cancel: no model is in Slurm's queue or runs here"
