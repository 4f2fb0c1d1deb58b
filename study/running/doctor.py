"""Whether a study can be run as planned, looked at before a week is booked.

In: a `State`. Out: findings, the wrong ones with what to do. Nothing is loaded or computed; what
Slurm would say of the resources is asked of Slurm, which tries them without queueing anything.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from study.config.arms import parse_arm
from study.config.executors import JobResources, resources_for
from study.errors import StudyError, listed
from study.hardware import SPARE_BYTES, default_devices, device_bytes, devices_needed
from study.models.weights import ModelFacts
from study.planning.cost.estimate import Estimate, JobLeft, estimate
from study.planning.plan_report import cost_lines, in_bytes, missing
from study.planning.plan_study import State
from study.planning.staging import not_locked
from study.results.cell_store.store import results_folder
from study.results.lock import FILE_NAME as LOCK_NAME
from study.running.executors.slurm.executor import check_commands, sbatch_parameters

GB = 1e9
HOST_SHARE = 1.2
"Of the weights' size, which a machine needs in memory while it loads them."


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    wrong: bool
    said: str


Check = Callable[[State, Estimate], Iterator[str]]


def examine(state: State, *, slurm: bool) -> list[Finding]:
    """All checks, each with what is wrong or that nothing is; `slurm`: for jobs there."""
    left = estimate(state.resolved, state.plan, state.done)
    checks: list[tuple[str, Check]] = [
        ("everything planned is on this machine", _missing),
        (f"{LOCK_NAME} holds everything", _unlocked),
        ("chat templates are there", _templates),
        ("no code of others is needed", _remote_code),
        ("results can be written, and fit", _disk),
    ]
    if slurm:
        checks += [("models fit the resources", _fit), ("Slurm takes the resources", _refused)]
    else:
        checks += [("models fit this machine", _fit_here)]
    found = []
    for what, check in checks:
        wrong = list(check(state, left))
        found += [Finding(what, True, said) for said in wrong] or [Finding(what, False, "")]
    found += [Finding("cost", False, line) for line in cost_lines(state, left)]
    return found


def findings_text(findings: Iterable[Finding]) -> str:
    """For a reader, a line each."""
    lines = [
        f"{'wrong' if f.wrong else 'fine':<6} {f.what}{': ' + f.said if f.said else ''}"
        for f in findings
        if f.what != "cost"
    ]
    return "\n".join([*lines, "", *(f.said for f in findings if f.what == "cost")])


def _missing(state: State, left: Estimate) -> Iterator[str]:
    yield from missing(state)


def _unlocked(state: State, left: Estimate) -> Iterator[str]:
    run = state.resolved.run
    if lacking := not_locked(state.resolved.study, run):
        yield f"it lacks {listed(lacking, most=6)}; run `study stage {run}`"


def _templates(state: State, left: Estimate) -> Iterator[str]:
    arms = [parse_arm(name) for name in state.resolved.study.arm_names()]
    asked = {arm.role for arm in arms if arm.template}
    for pair in state.resolved.pairs:
        for role in sorted(asked):
            facts = state.resolved.models[pair.member(role)]
            if isinstance(facts, ModelFacts) and not _has_template(facts.folder):
                yield (
                    f"{pair.member(role).name} has no chat template; ask it without (an arm that "
                    "does not end in -chat), or add the template that its makers publish"
                )


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    return "chat_template" in _json(folder / "tokenizer_config.json")


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remote_code(state: State, left: Estimate) -> Iterator[str]:
    if state.resolved.study.trust_remote_code:
        return
    from transformers import CONFIG_MAPPING

    for ref, facts in state.resolved.models.items():
        if isinstance(facts, ModelFacts):
            kind = _json(facts.folder / "config.json").get("model_type")
            if kind not in CONFIG_MAPPING:
                yield (
                    f"{ref.name} is of type {kind!r}, which the installed transformers does not "
                    "know; install one that does or, if you trust the code that comes with the "
                    "model, set `trust_remote_code: true`"
                )


def _disk(state: State, left: Estimate) -> Iterator[str]:
    folder = results_folder(state.resolved.run)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        yield f"{there}: {error.strerror}; change its permissions"
        return
    free = shutil.disk_usage(there).free
    if free < left.disk:
        yield f"{there}: {in_bytes(free)} free, about {in_bytes(left.disk)} needed; free space"


def _fit_here(state: State, left: Estimate) -> Iterator[str]:
    devices, dtype = default_devices(), state.resolved.study.dtype
    memory = device_bytes(devices[0])
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for of_job in _with_work(left):
        name = of_job.job.model.name
        if memory is None and of_job.weights * HOST_SHARE > host:
            yield f"{name} needs {in_bytes(of_job.weights * HOST_SHARE)}, of {in_bytes(host)} here"
        needed = devices_needed(of_job.job, dtype, memory)
        if needed > len(devices):
            yield f"{name} needs {needed} GPUs like those here, of which there are {len(devices)}"


def _fit(state: State, left: Estimate) -> Iterator[str]:
    sizes, dtype = state.resolved.study.slurm, state.resolved.study.dtype
    for of_job in _with_work(left):
        job, name = of_job.job, of_job.job.model.name
        number = resources_for(sizes, job.params_b)
        if number is None:
            yield f"{name}: `slurm` has no entry for {job.params_b:g} · 10⁹ parameters; add one"
            continue
        given = sizes[number]
        where = f"{name}: slurm[{number}]"
        if of_job.weights * HOST_SHARE > given.memory_gb * GB:
            needed = in_bytes(of_job.weights * HOST_SHARE)
            yield f"{where} gives {given.memory_gb:g} GB of memory; loading takes {needed}"
        if given.gpus and given.gpu_memory_gb is not None:
            needs = devices_needed(job, dtype, round(given.gpu_memory_gb * GB))
            if needs > given.gpus:
                yield (
                    f"{where} gives {given.gpus} GPUs of {given.gpu_memory_gb:g} GB; its weights "
                    f"and {in_bytes(SPARE_BYTES)} for each GPU take {needs}"
                )


def _with_work(left: Estimate) -> list[JobLeft]:
    return [of_job for of_job in left.jobs if of_job.work.cells]


def _refused(state: State, left: Estimate) -> Iterator[str]:
    try:
        check_commands()
    except StudyError as error:
        yield str(error)
        return
    for number, resources in enumerate(state.resolved.study.slurm):
        if said := _refusal(resources):
            yield f"slurm[{number}]: {said}"


def _refusal(resources: JobResources) -> str:
    """What Slurm has against these, tried without queueing a job; empty if nothing."""
    given = sbatch_parameters("try", resources)
    named = ("time", "mem", "cpus_per_task", "gpus_per_node", "partition", "account", "qos",
             "constraint")  # fmt: skip
    flags = [f"--{name.replace('_', '-')}={given[name]}" for name in named if name in given]
    command = ["sbatch", "--test-only", "--nodes=1", *flags, "--wrap=true"]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else " ".join(done.stderr.split())
