"""Resources of executors: a model for each executor that has any, under its key in study.yaml.

In: a list of entries by model size. Out: `SlurmResources`, and which entry a model gets. An
executor without resources (the local one) has no key.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from study.validation import Strict

MAX_NOTICE_SECONDS = 90


class Resources(Strict):
    """What every executor's resources have in common: the largest model that they are for."""

    up_to_params_b: float = Field(default=float("inf"), gt=0, allow_inf_nan=True)
    "Largest model that gets these resources, in billions of parameters."


class SlurmResources(Resources):
    """Resources of Slurm jobs; a job evaluates one model."""

    multiline = frozenset({"setup"})

    hours: float = Field(gt=0, le=8760)
    "Time limit of a job. A job that reaches it is requeued and resumes."
    memory_gb: float = Field(gt=0, le=1_000_000)
    "Memory of the node (not of its GPUs)."
    cpus: int = Field(default=4, ge=1, le=10_000)
    "CPU cores of a job."
    gpus: int = Field(default=0, ge=0, le=1000)
    "GPUs of a job, all on one node."
    gpu_memory_gb: float | None = Field(default=None, gt=0, le=100_000)
    "Memory of one GPU; with it, `study doctor` finds models that do not fit."
    at_once: int = Field(default=64, ge=1, le=100_000)
    "Maximum number of these jobs that run at the same time."
    partition: str | None = None
    "Slurm partition; by default the cluster's."
    account: str | None = None
    "Account that is charged."
    qos: str | None = None
    "Slurm quality of service."
    constraint: str | None = None
    "Required node features, such as `h100`."
    setup: list[str] = Field(default_factory=list)
    "Shell commands run before a job, such as `module load cuda`."

    @property
    def minutes(self) -> int:
        """The time limit in Slurm's unit."""
        return max(1, round(60 * self.hours))

    @property
    def notice_seconds(self) -> int:
        """How long before its time limit a job is notified."""
        return min(MAX_NOTICE_SECONDS, 15 * self.minutes)


EXECUTOR_KEYS: dict[str, type[Resources]] = {"slurm": SlurmResources}
"Keys of study.yaml that hold an executor's resources, with their models."


def resources_for(entries: Sequence[Resources], params_b: float) -> int | None:
    """Index of the entry for a model of that size: the smallest that holds it; None if none."""
    fitting = [
        (entry.up_to_params_b, index)
        for index, entry in enumerate(entries)
        if params_b <= entry.up_to_params_b
    ]
    return min(fitting)[1] if fitting else None
