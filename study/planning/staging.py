"""Fetching all that a study needs, once, on a machine with a network.

In: a run's folder. Out: weights, tokenizers, data sets and metrics in the local caches, verified,
and `study.lock.json`. Files that are there already are not fetched again; interrupted, the same
command goes on with those that are lacking. Nothing else in this package uses a network.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.config.study import Study, read_study, study_file
from study.errors import StudyError
from study.models.pairs import ModelRef, located, study_pairs
from study.models.weights import TOKENIZER_FILES, locked_model, model_folder, unchanged
from study.planning.resolve_study import harness_of
from study.results.lock import Lock, LockedTask, lock_digest, read_lock, write_lock
from study.tasks.items import task_items
from study.tasks.lm_eval_tasks import Harness
from study.tasks.suites import study_tasks

WEIGHTS = re.compile(r"(?!consolidated)[^/]*\.safetensors")
PICKLED = re.compile(r"[^/]*\.(bin|pt)")
Say = Callable[[str], object]


def stage(run: Path, say: Say) -> list[str]:
    """Fetches and verifies everything; returns what failed, in words. The rest is staged then."""
    study = read_study(run)
    models = _models(study, run)
    failures = []
    say("reading lm-eval's task list")
    harness = harness_of(study, run)
    for number, task in enumerate(study_tasks(study, run), 1):
        say(f"task {number}: {task.task}")
        try:
            _keep(run, task.task, _staged_task(harness, task.task, study_file(run)))
        except Exception as error:  # a task's own code, or the network, may raise anything
            failures.append(f"task {task.task}: {_reason(error)}")
    for number, ref in enumerate(models, 1):
        say(f"model {number} of {len(models)}: {ref.name}")
        try:
            _stage_model(run, study, ref, say)
        except Exception as error:  # so may the network
            failures.append(f"model {ref.name}: {_reason(error)}")
    named = {ref.name for ref in models}
    tasks = {task.task for task in study_tasks(study, run)}
    lock = read_lock(run)
    write_lock(run, Lock(
        models={name: value for name, value in lock.models.items() if name in named},
        tasks={name: value for name, value in lock.tasks.items() if name in tasks},
    ))  # fmt: skip
    say(f"{len(read_lock(run).models)} models and {len(read_lock(run).tasks)} tasks locked, "
        f"{(lock_digest(run) or '')[:12]}")  # fmt: skip
    return failures


def _models(study: Study, run: Path) -> list[ModelRef]:
    """Every model that must be there: of pairs, bases of recipes, seed models of indicators."""
    refs = [ref for pair in study_pairs(study, run) for ref in (pair.base, pair.tuned)]
    refs += [located(chosen.seed_model, run) for chosen in study.tuning.indicators.values()]
    return list(dict.fromkeys(ref for ref in refs if not ref.tuned_here))


def not_locked(study: Study, run: Path) -> list[str]:
    """Names of models and tasks that the lock lacks."""
    lock = read_lock(run)
    models = {ref.name for ref in _models(study, run)}
    tasks = {task.task for task in study_tasks(study, run)}
    return sorted((models - lock.models.keys()) | (tasks - lock.tasks.keys()))


def _keep(run: Path, name: str, task: LockedTask) -> None:
    lock = read_lock(run)
    write_lock(run, Lock(models=lock.models, tasks={**lock.tasks, name: task}))


def _staged_task(harness: Harness, name: str, file: Path) -> LockedTask:
    """Loading a task fetches its data, and metrics that are not lm-eval's own."""
    entry = harness.entry(name, file)
    task = harness.load(name)
    items = task_items(task, name, shares_split=entry.shares_split)
    return LockedTask(
        data_set=entry.config.get("dataset_path"),
        revision=_data_revision(task),
        version=items.version,
        items=items.digest,
        n_items=len(items.items),
    )


def _data_revision(task: Any) -> str | None:
    """The commit by which the datasets library names the folder of what it prepared."""
    for split in (getattr(task, "dataset", None) or {}).values():
        for file in getattr(split, "cache_files", ()):
            commits = re.findall(r"/([0-9a-f]{40})/", file["filename"])
            if commits:
                return str(commits[-1])
    return None


def _stage_model(run: Path, study: Study, ref: ModelRef, say: Say) -> None:
    lock = read_lock(run)
    pickled = study.allow_pickled_weights
    locked = lock.models.get(ref.name)
    commit = locked.revision if locked else None
    if not Path(ref.path).is_absolute():
        _fetch(ref, commit, pickled=pickled, code=study.trust_remote_code)
    folder = model_folder(ref, commit)
    if locked is not None:
        if unchanged(folder, locked):
            return
        say(f"{ref.name}: other files than those locked; the lock takes what is there now")
    _verify(folder)
    found = locked_model(folder, allow_pickled_weights=pickled)
    write_lock(run, Lock(models={**lock.models, ref.name: found}, tasks=lock.tasks))


def _fetch(ref: ModelRef, commit: str | None, *, pickled: bool, code: bool) -> None:
    """What transformers will read of a model on the hub, and no second form of its weights."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        model_folder(ref, commit)  # says what is lacking
        return
    about = HfApi().model_info(ref.path, revision=commit or ref.revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in about.siblings or ()}
    wanted = [name for name in sizes if WEIGHTS.fullmatch(name)]
    if not wanted and pickled:
        wanted = [name for name in sizes if PICKLED.fullmatch(name)]
    if not wanted:
        raise StudyError(
            ref.name, found="no *.safetensors files on the hub", expected="weights",
            do="If it has pickled ones and you trust them, set `allow_pickled_weights: true`",
        )  # fmt: skip
    small = (*TOKENIZER_FILES, "config.json", "generation_config.json")
    wanted += [
        name for name in sizes
        if name in small or re.fullmatch(r"[^/]*\.(index\.json|tiktoken)", name)
        or (code and re.fullmatch(r"[^/]*\.py", name))
    ]  # fmt: skip
    _check_room(Path(HF_HUB_CACHE), sum(sizes[name] for name in wanted), ref)
    snapshot_download(ref.path, revision=commit or ref.revision, allow_patterns=wanted)


def _check_room(cache: Path, needed: int, ref: ModelRef) -> None:
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    stored = cache / f"models--{ref.path.replace('/', '--')}" / "blobs"
    fetched = sum(file.stat().st_size for file in stored.glob("*")) if stored.is_dir() else 0
    free = shutil.disk_usage(there).free
    if needed - fetched > free:
        raise StudyError(
            there, found=f"{free / 1e9:.1f} GB free",
            expected=f"room for {(needed - fetched) / 1e9:.1f} GB of {ref.name}",
            do="Free space, or set HF_HOME to a folder on a larger disk",
        )  # fmt: skip


def _verify(folder: Path) -> None:
    """Files of the hub's cache against their names, which are digests of what was to come."""
    for path in sorted(folder.iterdir()):
        blob = path.resolve()
        if blob.parent.name == "blobs" and blob.name != _hub_digest(blob):
            blob.unlink()
            raise StudyError(path, found="another content than the hub announced",
                             expected=f"a file of digest {blob.name[:12]}…",
                             do="It was removed; the same command fetches it again")  # fmt: skip


def _hub_digest(blob: Path) -> str:
    """What the hub names a file by: sha256 of a large one, git's own digest of a small one."""
    if len(blob.name) == 64:
        with blob.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    content = blob.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, StudyError) else f"{type(error).__name__}: {said}"
