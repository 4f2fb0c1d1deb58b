"""The executor `slurm`: an array of jobs, one per model, for each entry of resources.

In: jobs. Out: submitted arrays, reported as notes; nothing waits for them to run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, cast

from typing_extensions import override

from study.config.executors import SlurmResources, resources_for
from study.errors import StudyError, listed
from study.hardware import RESERVED_BYTES, devices_needed
from study.planning.cost.estimate import HOST_SHARE, Estimate
from study.planning.cost.throughput import ASSUMED, Speed
from study.planning.plan import Job
from study.planning.plan_report import in_bytes
from study.planning.plan_study import PlannedStudy
from study.planning.staging import not_locked
from study.running.events import Event
from study.running.executors.base import ActiveJob, Executor, Finding, findings, with_work
from study.running.executors.slurm.queue import cancel, release
from study.running.executors.slurm.sbatch import check_commands, refusal, submit_array
from study.running.executors.slurm.submissions import (
    JobDescription,
    copied_tasks,
    new_submission,
    queued_models,
    slurm_logs,
)

GB = 1e9


class SlurmExecutor(Executor):
    """A Slurm cluster."""

    name: ClassVar[str] = "slurm"
    queues: ClassVar[bool] = True

    @property
    def resources(self) -> list[SlurmResources]:
        """Resources of jobs by model size, as the study file gives them."""
        return cast(list[SlurmResources], self.run.study.resources(self.name))

    @override
    def prepare(self, planned: PlannedStudy) -> None:
        check_commands()
        if not self.resources:
            raise self.run.study.error(
                self.name,
                found="nothing",
                expected="resources of a job, by the size of its model",
                do="See docs/gpus-and-clusters.md",
            )
        if absent := not_locked(self.run):
            raise StudyError(
                self.run.lock_file,
                found=f"no entry for {listed(absent, most=4)}",
                expected="all models and tasks, because compute nodes fetch nothing",
                do=f"Run `study stage {self.run.folder}` first",
            )

    @override
    def execute(self, planned: PlannedStudy) -> Iterator[Event]:
        tasks = queued_models(self.run.results).values()
        if held := [task for task in tasks if task.held]:
            release(held)
            yield Event.note(f"released {len(held)} models that had failed to start on their nodes")
        yield from super().execute(planned)

    @override
    def submit(self, jobs: Sequence[Job], planned: PlannedStudy) -> Iterator[Event]:
        results = self.run.results.resolve()  # a node has another working directory
        study, devices = self.run.study, list(self.devices) if self.devices else None
        for index, group in self._by_resources(jobs):
            resources = self.resources[index]
            descriptions = [
                JobDescription(
                    study=study,
                    job=job,
                    resources=resources,
                    devices=devices,
                    stall_seconds=self.stall_seconds,
                )
                for job in group
            ]
            folder = new_submission(results, study.name, descriptions)
            array = submit_array(folder, len(group), resources, f"{study.file}: slurm[{index}]")
            yield Event.note(f"{len(group)} models submitted as {array}")

    @override
    def speed(self) -> Speed:
        return ASSUMED["cuda"]

    @override
    def state(self) -> dict[str, ActiveJob]:
        return {
            model: ActiveJob(
                "waits" if task.waits else "runs",
                f"slurm {task.identifier}",
                task.reason + ("; `study run --on slurm` releases it" if task.held else ""),
            )
            for model, task in queued_models(self.run.results).items()
        }

    @override
    def cancel(self) -> Iterator[str]:
        tasks = queued_models(self.run.results)
        cancel(tasks.values())
        if tasks:
            yield f"removed {len(tasks)} models from Slurm's queue"
        if others := sorted({task.submission for task in copied_tasks(self.run.results)}):
            raise StudyError(
                self.run.results / "slurm",
                found=f"jobs in the queue that work in another folder: {listed(others, most=4)}",
                expected="jobs of this folder, which was copied or moved",
                do="Run `study cancel` in the folder that submitted them; if it was moved here, "
                f"`scancel --name={','.join(others)}`",
            )

    @override
    def check(self, planned: PlannedStudy, remaining: Estimate) -> Iterator[Finding]:
        yield from findings("sizes of the models", self._too_large(remaining))
        yield from findings("resources of Slurm", self._refused())

    @override
    def logs(self, model: str) -> list[Path]:
        return slurm_logs(self.run.results, model)

    def _by_resources(self, jobs: Sequence[Job]) -> list[tuple[int, list[Job]]]:
        """Jobs grouped by their entry of resources, in their order, the largest index first."""
        groups: dict[int, list[Job]] = {}
        for job in jobs:
            index = resources_for(self.resources, job.params_b)
            if index is None:
                raise self.run.study.error(
                    self.name,
                    found=f"no entry for {job.model.name} of {job.params_b:g} · 10⁹ parameters",
                    expected="resources for models of every size",
                    do="Add an entry with a larger `up_to_params_b`, or without it",
                )
            groups.setdefault(index, []).append(job)
        return sorted(groups.items(), reverse=True)

    def _too_large(self, remaining: Estimate) -> Iterator[str]:
        for entry in with_work(remaining):
            job, size = entry.job, entry.weights * HOST_SHARE
            index = resources_for(self.resources, job.params_b)
            if index is None:
                yield (
                    f"{job.model.name}: `slurm` has no entry for {job.params_b:g} · 10⁹ "
                    "parameters; add one"
                )
                continue
            resources, where = self.resources[index], f"{job.model.name}: slurm[{index}]"
            if size > resources.memory_gb * GB:
                yield (
                    f"{where} gives {resources.memory_gb:g} GB of memory; loading takes "
                    f"{in_bytes(size)}"
                )
            if resources.gpus and resources.gpu_memory_gb is not None:
                memory = round(resources.gpu_memory_gb * GB)
                needed = devices_needed(job.params_b, self.run.study.dtype, memory)
                if needed > resources.gpus:
                    yield (
                        f"{where} gives {resources.gpus} GPUs of {resources.gpu_memory_gb:g} GB; "
                        f"weights and {in_bytes(RESERVED_BYTES)} per GPU need {needed}"
                    )

    def _refused(self) -> Iterator[str]:
        try:
            check_commands()
        except StudyError as error:
            yield str(error)
            return
        for index, resources in enumerate(self.resources):
            if reason := refusal(resources):
                yield f"slurm[{index}]: {reason}"
