"""Calls of sbatch: submitting an array of jobs, and asking whether Slurm would accept it.

In: jobs and their resources. Out: the number of the array; or why Slurm refuses the resources.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.config.executors import SlurmResources
from study.errors import StudyError
from study.running.executors.slurm.job import ModelJob

MAX_REQUEUES = 10_000
"Requeues at the time limit; a job without progress is set aside long before (job.py)."
TESTED_OPTIONS = (
    "time",
    "mem",
    "cpus_per_task",
    "gpus_per_node",
    "partition",
    "account",
    "qos",
    "constraint",
)
"Resources that `sbatch --test-only` is asked about."


def check_commands() -> None:
    """StudyError if Slurm or submitit is not installed."""
    if shutil.which("sbatch") is None:
        raise StudyError(
            "sbatch",
            found="no such command",
            expected="Slurm's commands",
            do="Run this on a machine of the cluster, or use --on local",
        )
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise StudyError(
            "submitit",
            found="not installed",
            expected="the package's extra `slurm`",
            do="pip install 'icl-convergence[slurm]'",
        ) from None


def sbatch_parameters(name: str, resources: SlurmResources) -> dict[str, Any]:
    """The resources that are given, by submitit's names."""
    parameters = {
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
        # The batch script is the job itself: a step of it would be one more thing that a restarted
        # controller can lose. Signals then go to the script's process, `B:`.
        "use_srun": False,
        "additional_parameters": {"requeue": True, "signal": f"B:USR2@{resources.notice_seconds}"},
    }
    return {key: value for key, value in parameters.items() if value is not None}


def submit_array(
    folder: Path, tasks: Sequence[ModelJob], resources: SlurmResources, where: str
) -> str:
    """Submit tasks as one array named after the submission's folder; returns the array's number.

    StudyError, which names `where` the resources are given, if Slurm refuses; the folder is then
    removed.
    """
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    python = f"exec {shlex.quote(sys.executable)}"
    executor = SlurmExecutor(folder, max_num_timeout=MAX_REQUEUES, python=python)
    executor.update_parameters(**sbatch_parameters(folder.name, resources))
    try:
        with executor.batch():
            submitted = [executor.submit(task) for task in tasks]
    except FailedJobError as error:
        shutil.rmtree(folder)
        raise StudyError(
            where,
            found=" ".join(str(error.__cause__ or error).split()),
            expected="resources that Slurm accepts",
        ) from error
    return str(submitted[0].job_id.partition("_")[0])


def refusal(resources: SlurmResources) -> str:
    """Why Slurm would refuse such jobs, asked without queueing one; empty if it would not."""
    parameters = sbatch_parameters("test", resources)
    options = [
        f"--{name.replace('_', '-')}={parameters[name]}"
        for name in TESTED_OPTIONS
        if name in parameters
    ]
    command = ["sbatch", "--test-only", "--nodes=1", *options, "--wrap=true"]
    result = subprocess.run(command, capture_output=True, text=True)
    return "" if result.returncode == 0 else " ".join(result.stderr.split())
