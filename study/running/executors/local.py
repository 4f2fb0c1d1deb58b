"""The executor `local`: worker processes on this machine, one per device.

In: jobs. Out: their events, as they happen; `results/jobs` records which process runs each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property
from typing import ClassVar

from typing_extensions import override

from study.hardware import check_devices, default_devices, device_bytes, devices_needed
from study.models.weights import ModelFacts
from study.planning.cost.estimate import HOST_SHARE, Estimate
from study.planning.cost.throughput import Speed, local_speed
from study.planning.plan import Job
from study.planning.plan_report import in_bytes
from study.planning.plan_study import PlannedStudy
from study.results.run import Run
from study.running.events import Event
from study.running.executors.base import (
    STALL_SECONDS,
    ActiveJob,
    Executor,
    Finding,
    findings,
    with_work,
)
from study.running.executors.worker_pool import WorkerPool
from study.running.job_states import JobState, job_states, jobs_folder, recorded


class LocalExecutor(Executor):
    """The devices of this machine."""

    name: ClassVar[str] = "local"

    @override
    def __init__(
        self,
        run: Run,
        devices: Sequence[str] | None = None,
        *,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """As of every executor; the devices must be on this machine."""
        super().__init__(run, devices, stall_seconds=stall_seconds)
        check_devices(devices or ())

    @cached_property
    def own_devices(self) -> list[str]:
        """The devices given by the user; by default all of this machine's."""
        return list(self.devices or default_devices())

    @override
    def submit(self, jobs: Sequence[Job], planned: PlannedStudy) -> Iterator[Event]:
        folders = {
            ref: facts.folder
            for ref, facts in planned.resolved.models.items()
            if isinstance(facts, ModelFacts)
        }
        pool = WorkerPool(self.run, self.own_devices, self.stall_seconds, folders)
        with closing(pool.events(jobs)) as events:
            yield from recorded(events, self.run.results)

    @override
    def speed(self) -> Speed:
        return local_speed(self.run, self.own_devices)

    @override
    def state(self) -> dict[str, ActiveJob]:
        return {
            state.model: ActiveJob("runs", state.runner.where, f"since {_local_time(state.at)}")
            for state in self._running()
        }

    @override
    def cancel(self) -> Iterator[str]:
        folder = jobs_folder(self.run.results)
        runners = {state.runner for state in self._running()}
        for runner in sorted(runners, key=lambda runner: (runner.host, runner.pid)):
            if runner.process.terminate(folder):
                yield f"sent SIGTERM to process {runner.pid}"
            elif runner.process.works_in(folder) is not False:  # otherwise it has just ended
                yield f"process {runner.pid} may still run on {runner.host}; cancel it there"

    @override
    def check(self, planned: PlannedStudy, remaining: Estimate) -> Iterator[Finding]:
        yield from findings("sizes of the models", self._too_large(remaining))

    def _too_large(self, remaining: Estimate) -> Iterator[str]:
        devices, dtype = self.own_devices, self.run.study.dtype
        memory = device_bytes(devices[0])
        host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for entry in with_work(remaining):
            name, size = entry.job.model.name, entry.weights * HOST_SHARE
            if memory is None and size > host:
                yield f"{name} needs {in_bytes(size)} of memory, this machine has {in_bytes(host)}"
            needed = devices_needed(entry.job.params_b, dtype, memory)
            if needed > len(devices):
                yield f"{name} needs {needed} GPUs of this kind, this machine has {len(devices)}"

    def _running(self) -> list[JobState]:
        """Jobs run by processes of this machine, or of others of which nothing can be seen."""
        results = self.run.results
        return [
            state
            for state in job_states(results).values()
            if state.state == "running"
            and not state.runner.queue_job
            and state.runner.process.works_in(jobs_folder(results)) is not False
        ]


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
