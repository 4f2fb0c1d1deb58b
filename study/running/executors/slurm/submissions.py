"""The submissions of a run: which model is which job of which array, and what each job is to do.

In: a run's results. Out: models by submission; jobs; logs. Each submission has a folder of its own,
written before Slurm is asked, so that an interrupted submission can be recognised:

    results/slurm/<name>/models.json       its models in the array's order; its jobs have this name
    results/slurm/<name>/<index>.json      a job: what its node needs to know
    results/slurm/<name>/batch.sh          the script that Slurm runs
    results/slurm/<name>/…_log.out, .err   what Slurm and the job print

All of it is JSON that is validated when it is read: whoever can write to a shared run folder cannot
make a node run other code with it.

The jobs of a submission work in the folder that its script names. In a copy of a run's folder that
is the original: its jobs are those of the original, not of the copy.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from study.config.executors import SlurmResources
from study.config.study import Study
from study.errors import StudyError
from study.planning.plan import Job
from study.results.files import write_whole
from study.running.executors.slurm.queue import QueuedTask, queued
from study.running.executors.slurm.sbatch import SCRIPT
from study.validation import Strict

MAX_NAME = 24
"Characters of the study's name in a submission's."


class JobDescription(Strict):
    """What a node needs to know of a job besides the run's folder."""

    version: Literal[1] = 1
    "Version of this format."
    study: Study
    "As it was when the job was submitted: later changes to the file do not reach the job."
    job: Job
    resources: SlurmResources
    devices: list[str] | None
    "Those given by the user; None: the job's GPUs, or the CPU if it has none."
    stall_seconds: float


def new_submission(results: Path, study: str, jobs: Sequence[JobDescription]) -> Path:
    """Make the folder of a submission of these jobs."""
    folder = results / "slurm" / f"{study[:MAX_NAME]}-{secrets.token_hex(4)}"
    for index, description in enumerate(jobs):
        # JSON of Python, not of pydantic, which has no infinite numbers.
        text = json.dumps(description.model_dump(mode="json"), indent=1) + "\n"
        write_whole(job_file(folder, index), text.encode())
    models = json.dumps([entry.job.model.name for entry in jobs], indent=1) + "\n"
    write_whole(folder / "models.json", models.encode())
    return folder


def job_file(folder: Path, index: int) -> Path:
    """The description of a job of a submission."""
    return folder / f"{index}.json"


def read_job(folder: Path, index: int) -> JobDescription:
    """A job of the submission in `folder`; StudyError if it is missing or invalid."""
    path = job_file(folder, index)
    try:
        return JobDescription.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StudyError(path, found=error.strerror, expected="a job's description") from None
    except ValidationError as error:
        fault = error.errors()[0]
        raise StudyError(
            path,
            ".".join(map(str, fault["loc"])),
            found=f"an invalid value: {fault['msg']}",
            expected="what `study run --on slurm` wrote",
            do="Submit the job again",
        ) from None


def submissions(results: Path) -> dict[str, list[str]]:
    """The models of each submission of this run in the array's order, by its name."""
    return {folder.name: _models(folder) for folder in _folders(results) if _works_in(folder)}


def copied_tasks(results: Path) -> list[QueuedTask]:
    """Tasks in Slurm's queue whose submissions were copied with the run's folder, or moved."""
    return queued(folder.name for folder in _folders(results) if not _works_in(folder))


def queued_models(results: Path) -> dict[str, QueuedTask]:
    """The tasks in Slurm's queue, by model."""
    models = submissions(results)
    tasks = {}
    for task in queued(models):
        names = models[task.submission]
        if task.index < len(names):
            tasks[names[task.index]] = task
    return tasks


def slurm_logs(results: Path, model: str) -> list[Path]:
    """What Slurm and a model's jobs wrote; empty if none was ever started."""
    logs: list[Path] = []
    for name, models in submissions(results).items():
        if model in models:
            logs += (results / "slurm" / name).glob(f"*_{models.index(model)}_log.*")
    return logs


def _folders(results: Path) -> list[Path]:
    return [path.parent for path in sorted((results / "slurm").glob("*/models.json"))]


def _works_in(folder: Path) -> bool:
    """Whether the script of a submission works in its folder; without one, no job was submitted."""
    try:
        command = (folder / SCRIPT).read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
        return Path(shlex.split(command)[-2]).samefile(folder)
    except FileNotFoundError:
        return not (folder / SCRIPT).exists()
    except (OSError, ValueError, IndexError):
        return False


def _models(folder: Path) -> list[str]:
    path = folder / "models.json"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StudyError(
            path,
            found="no list of models",
            expected="what `study run --on slurm` wrote",
            do="Cancel its jobs in Slurm and delete its folder",
        )
    return names
