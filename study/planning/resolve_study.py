"""Looking up everything that a plan needs and a study file only names.

In: a `Study` and its folder. Out: `Resolved`: pairs, tasks, and for each model and task either its
facts or the reason why there are none on this machine. Reads local files; never the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from study.config.entries import ListedTask
from study.config.study import Study, study_file
from study.errors import StudyError, listed, nearest
from study.models.pairs import ModelRef, Pair, study_pairs
from study.models.weights import Dress, ModelFacts, model_facts
from study.results.lock import FILE_NAME as LOCK_NAME
from study.results.lock import Lock, read_lock
from study.results.schema import Exposure
from study.tasks.items import TaskItems, task_items
from study.tasks.lm_eval_tasks import Harness, TaskEntry, is_staged
from study.tasks.prompt_forms.documents import options_of
from study.tasks.suites import study_tasks
from study.tuning.data.mixing import mixed_pools
from study.tuning.identity import TunedModel, exposure, tuned_folder, tuned_tokenizer
from study.tuning.preparing import key_of


@dataclass
class Resolved:
    """What a study names, looked up."""

    study: Study
    run: Path
    pairs: tuple[Pair, ...]
    tasks: tuple[ListedTask, ...]
    entries: dict[str, TaskEntry]
    "By task: its configuration in lm-eval."
    models: dict[ModelRef, ModelFacts | str] = field(default_factory=dict)
    "By model: its facts, or why it cannot be used."
    items: dict[str, TaskItems | str] = field(default_factory=dict)
    "By task: its items, or why they cannot be read."
    tuned: dict[ModelRef, TunedModel] = field(default_factory=dict)
    "Models that the study makes."
    exposures: dict[str, dict[str, Exposure]] = field(default_factory=dict)
    "By the name of a recipe's mixture, what it shows of each task."
    loaded: dict[str, Any] = field(default_factory=dict)
    "By task: the lm-eval task itself, where its items could be read."


def harness_of(study: Study, run: Path) -> Harness:
    """lm-eval's tasks as this study sees them."""
    folders = tuple((run / folder).resolve() for folder in study.task_folders)
    for i, folder in enumerate(folders):
        if not folder.is_dir():
            raise StudyError(
                study_file(run),
                f"task_folders[{i}]",
                found=f"{study.task_folders[i]!r}, which is no folder",
                expected="a folder with lm-eval task files",
            )
    return Harness(folders)


def resolve(
    study: Study, run: Path, *, on_step: Callable[[str], object] = lambda what: None
) -> Resolved:
    """Looks up pairs, models and tasks; `on_step` is told what is being done."""
    path = study_file(run)
    lock = read_lock(run)
    resolved = Resolved(study, run, study_pairs(study, run), study_tasks(study, run), {})
    harness = harness_of(study, run)
    on_step("reading lm-eval's task list")
    for task in resolved.tasks:
        entry = harness.entry(task.task, path)
        resolved.entries[task.task] = entry
        metric = task.metric.split(",")[0]
        if entry.metrics and metric not in entry.metrics:
            raise StudyError(
                path,
                f"tasks: {task.task}: metric",
                found=repr(task.metric),
                expected=f"one of the task's metrics, {', '.join(entry.metrics)}",
                do=nearest(metric, entry.metrics),
            )
    on_step("looking up models")
    for pair in resolved.pairs:
        for ref in (pair.base, pair.tuned):
            if ref not in resolved.models and not ref.tuned_here:
                resolved.models[ref] = _facts(ref, study, lock, run)
    if study.tuning.recipes:
        on_step("reading mixtures")
        _resolve_recipes(resolved, harness)
    on_step(f"reading the items of {len(resolved.tasks)} tasks")
    for task in resolved.tasks:
        _read_items(resolved, harness, task.task, lock)
        _check_passage(resolved, task, path)
    if study.answers.choose != "task":
        resolved.tasks = tuple(_answered(resolved, task, path) for task in resolved.tasks)
    return resolved


def _answered(resolved: Resolved, task: ListedTask, path: Path) -> ListedTask:
    """The task with the metric by which the study reads its answers, and that metric's chance: of
    choosing among an item's options without looking."""
    answers, items = resolved.study.answers, resolved.items[task.task]
    chance = 0.0
    if answers.choose == "similarity" and not isinstance(items, str):
        loaded = resolved.loaded[task.task]
        numbers = [len(options_of(loaded, item.raw, task.options)) for item in items.items]
        if not all(numbers):
            raise StudyError(
                path,
                f"tasks: {task.task}: options",
                found="no options",
                expected="the documents' field that lists them, for the most similar is chosen",
            )
        chance = fmean(1 / number for number in numbers)
    return task.model_copy(update={"metric": answers.metric, "scale": 1.0, "chance": chance})


def _resolve_recipes(resolved: Resolved, harness: Harness) -> None:
    """Keys and facts of the models that the study makes, whether they are made yet or not."""
    study, pools_of = resolved.study, {}
    for pair in resolved.pairs:
        recipe = pair.recipe
        if recipe is None:
            continue
        name = recipe.mixture_name
        if name not in pools_of:
            pools_of[name] = mixed_pools(recipe, harness)
            resolved.exposures[name] = {
                task.task: exposure(pools_of[name], task.task, task.task_type)
                for task in resolved.tasks
            }
        base = resolved.models[pair.base]
        if isinstance(base, str):
            resolved.models[pair.tuned] = base
            continue
        key = key_of(recipe, base, pools_of[name], study)
        tuned = TunedModel(recipe, pair.base, key, tuned_folder(resolved.run, key))
        resolved.tuned[pair.tuned] = tuned
        resolved.models[pair.tuned] = replace(
            base,
            weights=f"recipe:{key}",
            tokenizer=tuned_tokenizer(base.tokenizer, recipe),
            dress=Dress(recipe.template, recipe.marker_token),
        )


def _check_passage(resolved: Resolved, task: ListedTask, path: Path) -> None:
    items = resolved.items[task.task]
    if task.passage is None or isinstance(items, str) or not items.items:
        return
    fields = sorted(items.items[0].raw)
    if task.passage not in fields:
        raise StudyError(
            path,
            f"tasks: {task.task}: passage",
            found=repr(task.passage),
            expected=f"a field of its documents, {listed(fields, most=12)}",
            do=nearest(task.passage, fields),
        )


def _facts(ref: ModelRef, study: Study, lock: Lock, run: Path) -> ModelFacts | str:
    locked = lock.models.get(ref.name)
    try:
        facts = model_facts(ref, allow_pickled_weights=study.allow_pickled_weights, locked=locked)
    except StudyError as error:
        return str(error)
    if locked and (facts.weights, facts.tokenizer) != (locked.weights, locked.tokenizer):
        what = "weights" if facts.weights != locked.weights else "a tokenizer"
        return _unlike_lock(facts.folder, what, run)
    return facts


def _unlike_lock(where: str | Path, what: str, run: Path) -> str:
    return (
        f"{where}: found {what} other than when the study was staged; expected what {LOCK_NAME} "
        f"names. Restore that, or take what is there now: `study stage {run}`; finished cells of "
        "it are then computed anew"
    )


def _read_items(resolved: Resolved, harness: Harness, name: str, lock: Lock) -> None:
    entry = resolved.entries[name]
    if not is_staged(entry):
        resolved.items[name] = (
            f"the data set {entry.config.get('dataset_path')} is not on this machine"
        )
        return
    try:
        task = harness.load(name)
        items = task_items(task, name, shares_split=entry.shares_split)
        locked = lock.tasks.get(name)
        if locked and locked.items != items.digest:
            resolved.items[name] = _unlike_lock(f"task {name}", "items", resolved.run)
        else:
            resolved.items[name], resolved.loaded[name] = items, task
    except Exception as error:  # a task's own code may raise anything
        resolved.items[name] = f"{type(error).__name__}: {error}"
