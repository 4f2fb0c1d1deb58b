"""The tasks of a study, looked up: their configuration, their items, and what must fit them.

In: a listed task, lm-eval's tasks. Out: what is known of it, in a `ResolvedStudy`. A task whose
data is not on this machine has a reason instead of items; what the study file says wrongly is an
error.
"""

from __future__ import annotations

from study.config.study import Study
from study.config.tasks import ListedTask
from study.errors import StudyError, listed, nearest
from study.fact_cache import cached_fact
from study.planning.resolving.resolved_study import ResolvedStudy, differs_from_lock
from study.scorers import Scorer
from study.tasks.lm_eval.entry import TaskEntry, is_staged
from study.tasks.lm_eval.identity import documents_digest
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.prompt_forms.documents import named_fields, options_of


def task_entry(study: Study, library: TaskLibrary, task: ListedTask) -> TaskEntry:
    """The task's configuration; StudyError if it has no such metric."""
    entry = library.entry(task.task, study.file)
    metric = task.metric.split(",")[0]
    if entry.metrics and metric not in entry.metrics:
        raise study.error(
            f"tasks: {task.task}: metric",
            found=repr(task.metric),
            expected=f"one of the task's metrics, {', '.join(entry.metrics)}",
            do=nearest(metric, entry.metrics),
        )
    return entry


def read_items(resolved: ResolvedStudy, library: TaskLibrary, name: str) -> None:
    """The items of a task, or why there are none here; StudyError for a task file of the study."""
    entry = resolved.entries[name]
    if not is_staged(entry):
        data_set = entry.config.get("dataset_path")
        resolved.items[name] = f"the data set {data_set} is not on this machine"
        return
    try:
        items = library.known_items(entry, resolved.study.file)
    except StudyError as error:
        if entry.file is not None:
            raise
        resolved.items[name] = str(error)  # of lm-eval's own tasks, the others may be usable
    else:
        locked = resolved.run.lock.tasks.get(name)
        if locked and locked.items != items.digest:
            resolved.items[name] = differs_from_lock(f"task {name}", "items", resolved.run)
        else:
            resolved.items[name] = items


def check_fields(resolved: ResolvedStudy, task: ListedTask) -> None:
    """StudyError if `factors`, `passage` or a template of `fields` names what the task's first item
    lacks."""
    items = resolved.items[task.task]
    if isinstance(items, str) or not items.items:
        return
    named = [("factors", name) for name in task.factors]
    if task.passage is not None:
        named.append(("passage", task.passage))
    document = items.items[0].raw
    fields = sorted(document)
    for key, name in named:
        if name not in fields:
            raise resolved.study.error(
                f"tasks: {task.task}: {key}",
                found=repr(name),
                expected=f"a field of its documents, {listed(fields, most=12)}",
                do=nearest(name, fields),
            )
    if task.fields:
        where = f"{resolved.study.file}: tasks: {task.task}"
        sources = [task.fields, documents_digest([document])]
        cached_fact("fields", sources, lambda: named_fields(document, task.fields, where))


def check_thinking(resolved: ResolvedStudy, task: ListedTask) -> None:
    """StudyError if a thinking arm meets a task without generated responses: the log-likelihood of
    a choice has no place for thinking before it."""
    if resolved.scorer is not None:  # its responses are generated
        return
    for arm in resolved.study.parsed_arms():
        if arm.thinks and _output_type(resolved, task.task) != "generate_until":
            raise resolved.study.error(
                "arms",
                found=f"{arm.name}, a thinking arm, and {task.task}, whose choices are compared by "
                "their log-likelihood",
                expected="tasks with generated responses in a study with a thinking arm",
                do="Give the arm a study of its own, or set `answers.choose` to have responses to "
                "multiple-choice tasks generated",
            )


def _output_type(resolved: ResolvedStudy, task: str) -> str:
    """What a task requests, as its file says it if the task cannot be loaded."""
    if isinstance(resolved.items[task], str):
        return str(resolved.entries[task].config.get("output_type", "generate_until"))
    return resolved.loaded[task].OUTPUT_TYPE


def with_scorer(resolved: ResolvedStudy, scorer: Scorer, task: ListedTask) -> ListedTask:
    """The task with the scorer's metric and chance level in place of its own."""
    items = resolved.items[task.task]
    chance = 0.0
    if not isinstance(items, str):
        numbers = [1] * len(items.items)
        if scorer.needs_options:
            loaded = resolved.loaded[task.task]
            numbers = [len(options_of(loaded, item.raw, task.options)) for item in items.items]
        if not all(numbers):
            raise resolved.study.error(
                f"tasks: {task.task}: options",
                found="no options",
                expected="the document field that lists them, since one of them is chosen",
            )
        chance = scorer.chance(numbers)
    metric = resolved.study.answers.metric
    return task.model_copy(update={"metric": metric, "scale": 1.0, "chance": chance})
