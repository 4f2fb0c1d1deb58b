"""What a job on a cluster is given, as it stands in `study.yaml` under `slurm`.

In: a list of entries by model size. Out: `JobResources`, and which of them a model gets.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from study.validation import Strict

LONGEST_NOTICE = 90


class JobResources(Strict):
    """Resources of the Slurm jobs of models up to a size. A job holds one model."""

    up_to_params_b: float = Field(default=float("inf"), gt=0)
    "Largest model that gets these, 10⁹ parameters."
    hours: float = Field(gt=0)
    "Time limit of a job; one that runs out of it is queued again and goes on."
    memory_gb: float = Field(gt=0)
    "Memory of the machine, not of its GPUs."
    cpus: int = Field(default=4, ge=1)
    "CPU cores of a job."
    gpus: int = Field(default=0, ge=0)
    "GPUs of a job, all on one machine."
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    "Memory of one GPU; `study doctor` says by it which models do not fit."
    at_once: int = Field(default=64, ge=1)
    "Jobs of this size that run at once, at most."
    partition: str | None = None
    "Slurm's partition; none: the cluster's default."
    account: str | None = None
    "Whom the time is charged to."
    qos: str | None = None
    "Slurm's quality of service."
    constraint: str | None = None
    "Features that a machine must have, such as `h100`."
    setup: list[str] = Field(default_factory=list)
    "Shell commands before a job's own, such as `module load cuda`."

    @property
    def minutes(self) -> int:
        """The time limit as Slurm counts it."""
        return max(1, round(60 * self.hours))

    @property
    def notice_seconds(self) -> int:
        """How long before its time is over a job is told."""
        return min(LONGEST_NOTICE, 15 * self.minutes)


def resources_for(sizes: Sequence[JobResources], params_b: float) -> int | None:
    """The number of the entry that a model of that size gets, the smallest that holds it."""
    fits = [(entry.up_to_params_b, i) for i, entry in enumerate(sizes)
            if params_b <= entry.up_to_params_b]  # fmt: skip
    return min(fits)[1] if fits else None
