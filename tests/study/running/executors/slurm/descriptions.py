"""Descriptions of jobs, as they are submitted."""

from __future__ import annotations

from typing import Any

from study.config.executors import SlurmResources
from study.config.study import Study
from study.models.pairs import ModelRef
from study.planning.plan import Job
from study.running.executors.slurm.submissions import JobDescription
from tests.conftest import SMALL

RESOURCES = SlurmResources(hours=1, memory_gb=1)


def described(job: Job, **changes: Any) -> JobDescription:
    """A job of the small study on the CPU, with changes."""
    values: dict[str, Any] = {
        "study": Study.model_validate(SMALL),
        "job": job,
        "resources": RESOURCES,
        "devices": ["cpu"],
        "stall_seconds": 60.0,
    }
    return JobDescription(**{**values, **changes})


def job_of(name: str) -> Job:
    """A job without cells."""
    return Job(ModelRef(name), 1.0, ())
