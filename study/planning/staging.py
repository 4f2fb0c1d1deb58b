"""Staging: fetching everything that a study needs, once, on a machine with a network.

In: a `Run`. Out: weights, tokenizers, data sets and metrics in the local caches, verified, and
`study.lock.json`. Files that are already there are not fetched again; after an interruption the
same command fetches the rest. Nothing else in this package uses a network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.errors import StudyError
from study.models.folders.adapters import base_model
from study.models.folders.contents import read_json
from study.models.folders.files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    PICKLED,
    WEIGHTS,
    is_description,
)
from study.models.folders.location import model_folder
from study.models.pairs import ModelRef, located, study_pairs
from study.models.weights import locked_model, unchanged
from study.results.lock import Lock, LockedTask, upgrade_lock, write_lock
from study.results.run import Run
from study.scorers import study_scorer
from study.tasks.lm_eval.library import TaskLibrary, task_library
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.prompt_forms import check_arms
from study.tasks.suites import study_tasks

CORRUPTED = ".corrupted"
"Suffix of a file of the hub's cache that was moved aside."
Report = Callable[[str], object]
"Called with a message about what is being done."


def stage(run: Run, report: Report) -> list[str]:
    """Fetch and verify everything; returns messages about what failed, when the rest is staged."""
    study = run.study
    check_arms(study)
    study_scorer(study)
    models, tasks = needed_models(study), study_tasks(study)
    upgrade_lock(run.lock_file)
    failures = []
    report("reading lm-eval's task list")
    library = task_library(study)
    for number, task in enumerate(tasks, 1):
        report(f"task {number} of {len(tasks)}: {task.task}")
        try:
            staged = _staged_task(library, task.task, study)
            run.reload()  # another command may have written it meanwhile
            _save(run, run.lock.with_task(task.task, staged))
        except Exception as error:  # a task's own code, or the network, may raise anything
            failures.append(f"task {task.task}: {_reason(error)}")
    for number, ref in enumerate(models, 1):
        report(f"model {number} of {len(models)}: {ref.name}")
        try:
            _stage_model(run, ref, report)
        except Exception as error:  # so may the network
            failures.append(f"model {ref.name}: {_reason(error)}")
    model_names, task_names = {ref.name for ref in models}, {task.task for task in tasks}
    run.reload()
    lock = run.lock
    lock = Lock(
        models={name: model for name, model in lock.models.items() if name in model_names},
        tasks={name: task for name, task in lock.tasks.items() if name in task_names},
    )
    _save(run, lock)
    digest = (run.lock_digest or "")[:12]
    report(f"locked {len(lock.models)} models and {len(lock.tasks)} tasks, digest {digest}")
    return failures


def _save(run: Run, lock: Lock) -> None:
    write_lock(run.lock_file, lock)
    run.reload()


def needed_models(study: Study) -> list[ModelRef]:
    """All models that must be available: those of pairs, bases of recipes, indicators' seeds."""
    refs = [ref for pair in study_pairs(study) for ref in (pair.base, pair.tuned)]
    indicators = study.tuning.indicators.values()
    refs += [located(indicator.seed_model, study.folder) for indicator in indicators]
    return list(dict.fromkeys(ref for ref in refs if not ref.tuned_here))


def not_locked(run: Run) -> list[str]:
    """Names of the models and tasks that the lock does not contain."""
    models = {ref.name for ref in needed_models(run.study)}
    tasks = {task.task for task in study_tasks(run.study)}
    return sorted((models - run.lock.models.keys()) | (tasks - run.lock.tasks.keys()))


def _staged_task(library: TaskLibrary, name: str, study: Study) -> LockedTask:
    """Load a task, which fetches its data and metrics that are not lm-eval's own."""
    entry = library.entry(name, study.file)
    task, items = library.load_items(name, study.file)
    return LockedTask(
        data_set=entry.config.get("dataset_path"),
        revision=_data_revision(task),
        version=items.version,
        items=items.digest,
        n_items=len(items.items),
    )


def _data_revision(task: LmEvalTask) -> str | None:
    """The commit in the path of the files that the datasets library prepared."""
    splits: dict[str, Any] = getattr(task, "dataset", None) or {}
    for split in splits.values():
        for file in getattr(split, "cache_files", ()):
            commits = re.findall(r"/([0-9a-f]{40})/", file["filename"])
            if commits:
                return str(commits[-1])
    return None


def _stage_model(run: Run, ref: ModelRef, report: Report) -> None:
    study = run.study
    locked = run.lock.models.get(ref.name)
    commit = locked.revision if locked else None
    if not Path(ref.path).is_absolute():
        _fetch(ref, commit, study)
    folder = model_folder(ref, commit)
    allowed = {
        "allow_pickled_weights": study.allow_pickled_weights,
        "trust_remote_code": study.trust_remote_code,
    }
    if locked is not None:
        if unchanged(folder, locked, **allowed):
            return
        report(f"{ref.name}: files differ from the lock; locking what is there now")
    _verify(folder)
    model = locked_model(folder, **allowed)
    run.reload()
    _save(run, run.lock.with_model(ref.name, model))


def _fetch(ref: ModelRef, commit: str | None, study: Study) -> None:
    """Fetch the files of a hub model that transformers reads, and its weights in one format."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        model_folder(ref, commit)  # raises if the model is not in the cache
        return
    info = HfApi().model_info(ref.path, revision=commit or ref.revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    weights = [name for name in sizes if "/" not in name and WEIGHTS.fullmatch(name)]
    if study.allow_pickled_weights and all(map(ADAPTER_WEIGHTS.fullmatch, weights)):
        weights += [name for name in sizes if "/" not in name and PICKLED.fullmatch(name)]
    if not weights:
        raise StudyError(
            ref.name,
            found="no *.safetensors files on the hub",
            expected="weights",
            do="If it has pickled ones and you trust them, set `allow_pickled_weights: true`",
        )
    trust = study.trust_remote_code
    wanted = [*weights, *(name for name in sizes if is_description(name, trust_remote_code=trust))]
    _check_space(Path(HF_HUB_CACHE), sum(sizes[name] for name in wanted), ref)
    revision = commit or ref.revision
    folder = Path(snapshot_download(ref.path, revision=revision, allow_patterns=wanted))
    adapter = folder / ADAPTER_CONFIG
    if adapter.is_file() and not (folder / "config.json").is_file():
        base = base_model(adapter, read_json(adapter).get("base_model_name_or_path"))
        if not Path(base.path).is_absolute():
            _fetch(base, None, study)


def _check_space(cache: Path, size: int, ref: ModelRef) -> None:
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    blobs = cache / f"models--{ref.path.replace('/', '--')}" / "blobs"
    present = [file for file in blobs.glob("*") if file.suffix != CORRUPTED]
    fetched = sum(file.stat().st_size for file in present)
    free = shutil.disk_usage(existing).free
    if size - fetched > free:
        raise StudyError(
            existing,
            found=f"{free / 1e9:.1f} GB free",
            expected=f"space for {(size - fetched) / 1e9:.1f} GB of {ref.name}",
            do="Free space, or set HF_HOME to a folder on a larger disk",
        )


def _verify(folder: Path) -> None:
    """Compare files of the hub's cache with their names, which are digests of their content; one
    with other content is moved aside."""
    for path in sorted(folder.rglob("*")):
        blob = path.resolve()
        if blob.parent.name == "blobs" and blob.is_file() and blob.name != _hub_digest(blob):
            aside = blob.with_name(blob.name + CORRUPTED)
            os.replace(blob, aside)
            raise StudyError(
                path,
                found="another content than the hub announced",
                expected=f"a file with digest {blob.name[:12]}…",
                do=f"It was moved to {aside}; the same command fetches it again",
            )


def _hub_digest(blob: Path) -> str:
    """The hub's name for a file: sha256 for a large one, git's own digest for a small one."""
    if len(blob.name) == 64:
        with blob.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    content = blob.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message if isinstance(error, StudyError) else f"{type(error).__name__}: {message}"
