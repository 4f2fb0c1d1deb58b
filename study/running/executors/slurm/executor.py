"""A Slurm cluster: an array of jobs, one per model, for each entry of resources.

In: jobs. Out: submitted arrays. Each submission has a folder of its own, written before Slurm is
asked, so that one which was cut short is seen for what it is:

    results/slurm/<name>/models.json       its models in the array's order; jobs are named <name>
    results/slurm/<name>/…_submitted.pkl   what submitit takes to the node
    results/slurm/<name>/…_log.out, .err   what Slurm and the job print
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from study.config.executors import JobResources, resources_for
from study.config.study import Study, study_file
from study.errors import StudyError
from study.planning.plan import Job
from study.results.cell_store.store import results_folder
from study.results.files import write_whole
from study.running.executors.slurm.job import ModelJob
from study.running.executors.slurm.queue import Queued, queued

REQUEUES = 10_000
"Times out of time; what ends a job is that it makes no progress (slurm_job)."


def submissions(run: Path) -> dict[str, list[str]]:
    """By name, the models of each submission of a run, in the array's order."""
    found = {}
    for path in sorted((results_folder(run) / "slurm").glob("*/models.json")):
        found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
    return found


def models_in_queue(run: Path) -> dict[str, Queued]:
    """By model, its task in Slurm's queue."""
    of = submissions(run)
    return {of[task.submission][task.index]: task for task in queued(of)}


def slurm_logs(run: Path, model: str) -> list[Path]:
    """What Slurm and a model's jobs wrote; empty if none was ever begun."""
    logs: list[Path] = []
    for name, models in submissions(run).items():
        if model in models:
            folder = results_folder(run) / "slurm" / name
            index = f"_{models.index(model)}" if len(models) > 1 else ""
            logs += folder.glob(f"*{index}_0_log.*")
    return logs


def submit(
    study: Study, run: Path, jobs: Sequence[Job], devices: list[str] | None, stall_seconds: float
) -> Iterator[tuple[int, str]]:
    """Submits all jobs, which come the longest first; yields for each array how many jobs it has,
    and its number in Slurm."""
    file = study_file(run)
    for number, own in _by_size(study, file, jobs):
        resources = study.slurm[number]
        tasks = [
            ModelJob(study, run.resolve(), job, resources, devices, stall_seconds) for job in own
        ]
        name = f"{study.name[:24]}-{secrets.token_hex(4)}"
        folder = results_folder(run).resolve() / "slurm" / name
        models = json.dumps([job.model.name for job in own], indent=1) + "\n"
        write_whole(folder / "models.json", models.encode())
        yield len(own), _submit(folder, name, tasks, resources, f"{file}: slurm[{number}]")


def check_commands() -> None:
    """StudyError where Slurm or submitit is not at hand."""
    if shutil.which("sbatch") is None:
        raise StudyError("sbatch", found="no such command", expected="Slurm's commands",
                         do="Do this on a machine of the cluster, or use --on local")  # fmt: skip
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise StudyError("submitit", found="not installed", expected="the package's extra `slurm`",
                         do="pip install 'icl-convergence[slurm]'") from None  # fmt: skip


def sbatch_parameters(name: str, resources: JobResources) -> dict[str, Any]:
    """The resources in submitit's words, less what is not given."""
    given = {
        "job_name": name,
        "time": resources.minutes,
        "mem": f"{round(1000 * resources.memory_gb)}M",
        "cpus_per_task": resources.cpus,
        "gpus_per_node": resources.gpus or None,
        "array_parallelism": resources.at_once,
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
        "setup": resources.setup or None,
        # The batch script is the job itself: a step of it would be one more thing that a controller
        # which is restarted can lose. Signals then go to the script's process, `B:`.
        "use_srun": False,
        "additional_parameters": {"requeue": True, "signal": f"B:USR2@{resources.notice_seconds}"},
    }
    return {key: value for key, value in given.items() if value is not None}


def _submit(
    folder: Path, name: str, tasks: list[ModelJob], resources: JobResources, where: str
) -> str:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    python = f"exec {shlex.quote(sys.executable)}"
    executor = SlurmExecutor(folder, max_num_timeout=REQUEUES, python=python)
    executor.update_parameters(**sbatch_parameters(name, resources))
    try:
        with executor.batch():
            submitted = [executor.submit(task) for task in tasks]
    except FailedJobError as error:
        shutil.rmtree(folder)
        raise StudyError(where, found=" ".join(str(error.__cause__ or error).split()),
                         expected="resources that Slurm accepts") from error  # fmt: skip
    return str(submitted[0].job_id.partition("_")[0])


def _by_size(study: Study, file: Path, jobs: Sequence[Job]) -> list[tuple[int, list[Job]]]:
    """Jobs by the entry of resources that they get, in their order."""
    found: dict[int, list[Job]] = {}
    for job in jobs:
        number = resources_for(study.slurm, job.params_b)
        if number is None:
            raise StudyError(
                file,
                "slurm",
                found=f"no entry for {job.model.name} of {job.params_b:g} · 10⁹ parameters",
                expected="resources for models of every size",
                do="Add an entry with a larger `up_to_params_b`, or none",
            )
        found.setdefault(number, []).append(job)
    return sorted(found.items(), reverse=True)
