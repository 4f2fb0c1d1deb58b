"""The submissions of a run: which model is which job of which array.

In: a run's results. Out: models by submission; logs. Each submission has a folder of its own,
written before Slurm is asked, so that an interrupted submission can be recognised:

    results/slurm/<name>/models.json       its models in the array's order; its jobs have this name
    results/slurm/<name>/…_submitted.pkl   what submitit takes to the node
    results/slurm/<name>/…_log.out, .err   what Slurm and the job print
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from study.planning.plan import Job
from study.results.files import write_whole
from study.running.executors.slurm.queue import QueuedTask, queued

MAX_NAME = 24
"Characters of the study's name in a submission's."


def new_submission(results: Path, study: str, jobs: Sequence[Job]) -> Path:
    """Make the folder of a submission of these jobs."""
    folder = results / "slurm" / f"{study[:MAX_NAME]}-{secrets.token_hex(4)}"
    models = json.dumps([job.model.name for job in jobs], indent=1) + "\n"
    write_whole(folder / "models.json", models.encode())
    return folder


def submissions(results: Path) -> dict[str, list[str]]:
    """The models of each submission in the array's order, by its name."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((results / "slurm").glob("*/models.json"))
    }


def queued_models(results: Path) -> dict[str, QueuedTask]:
    """The tasks in Slurm's queue, by model."""
    models = submissions(results)
    return {models[task.submission][task.index]: task for task in queued(models)}


def slurm_logs(results: Path, model: str) -> list[Path]:
    """What Slurm and a model's jobs wrote; empty if none was ever started."""
    logs: list[Path] = []
    for name, models in submissions(results).items():
        if model in models:
            index = f"_{models.index(model)}" if len(models) > 1 else ""
            logs += (results / "slurm" / name).glob(f"*{index}_0_log.*")
    return logs
