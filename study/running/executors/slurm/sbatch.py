"""Calls of sbatch: submitting an array of jobs, and asking whether Slurm would accept it.

In: the folder of a submission and the resources of its jobs. Out: the number of the array; or why
Slurm refuses the resources.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from study.config.executors import SlurmResources
from study.errors import StudyError
from study.results.files import write_whole

JOB_MODULE = "study.running.executors.slurm.job"
SCRIPT = "batch.sh"
"In the folder of a submission. Its last line names this folder, in which the jobs work."


def check_commands() -> None:
    """StudyError if Slurm is not installed."""
    if shutil.which("sbatch") is None:
        raise StudyError(
            "sbatch",
            found="no such command",
            expected="Slurm's commands",
            do="Run this on a machine of the cluster, or use --on local",
        )


def submit_array(folder: Path, number: int, resources: SlurmResources, where: str) -> str:
    """Submit a job for each of `number` descriptions in a submission's folder, as one array of the
    folder's name; returns the array's number.

    StudyError, which names `where` the resources are given, if Slurm refuses; the folder is then
    removed.
    """
    script = folder / SCRIPT
    write_whole(script, batch_script(folder, number, resources).encode())
    result = subprocess.run(["sbatch", "--parsable", str(script)], capture_output=True, text=True)
    if result.returncode:
        shutil.rmtree(folder)
        raise StudyError(
            where,
            found=" ".join(result.stderr.split()),
            expected="resources that Slurm accepts",
        )
    return result.stdout.strip().partition(";")[0]


def batch_script(folder: Path, number: int, resources: SlurmResources) -> str:
    """The script of an array of jobs.

    The job is the script's own process: a step of it would be one more thing that a restarted
    controller can lose. Signals therefore go to the script, `B:`.
    """
    log = f"{str(folder).replace('%', '%%')}/%A_%a_log"
    options = {
        "job-name": folder.name,
        "array": f"0-{number - 1}%{min(number, resources.at_once)}",
        **resource_options(resources),
        "output": f"{log}.out",
        "error": f"{log}.err",
        "open-mode": "append",
        "signal": f"B:USR2@{resources.notice_seconds}",
    }
    command = [sys.executable, "-u", "-m", JOB_MODULE, str(folder)]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH --{name}={shlex.quote(value)}" for name, value in options.items()),
            "#SBATCH --requeue",
            *resources.setup,
            f'exec {shlex.join(command)} "$SLURM_ARRAY_TASK_ID"',
            "",
        ]
    )


def resource_options(resources: SlurmResources) -> dict[str, str]:
    """The resources that are given, as options of sbatch."""
    options = {
        "nodes": 1,
        "time": resources.minutes,
        "mem": f"{round(1000 * resources.memory_gb)}M",
        "cpus-per-task": resources.cpus,
        "gpus-per-node": resources.gpus or None,
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
    }
    return {name: str(value) for name, value in options.items() if value is not None}


def refusal(resources: SlurmResources) -> str:
    """Why Slurm would refuse such jobs, asked without queueing one; empty if it would not."""
    options = [f"--{name}={value}" for name, value in resource_options(resources).items()]
    command = ["sbatch", "--test-only", *options, "--wrap=true"]
    result = subprocess.run(command, capture_output=True, text=True)
    return "" if result.returncode == 0 else " ".join(result.stderr.split())
