"""Resolving a study: looking up everything that its file only names.

In: a `Run`. Out: `ResolvedStudy`: pairs, tasks, and for each model and task either its facts or the
reason why they are not available on this machine. Reads local files; never uses the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from study.config.study import Study
from study.config.tasks import Exposure, ListedTask
from study.errors import StudyError, listed, nearest
from study.extras import vllm_python, vllm_version
from study.fact_cache import cached_fact
from study.models.chat_templates.rendering import Rendering
from study.models.chat_templates.study_renderings import study_renderings
from study.models.folders.loader import check_loadable
from study.models.pair_checks import check_pairs
from study.models.pairs import ModelRef, Pair, study_pairs
from study.models.tokenizers import TokenizerOverrides
from study.models.weights import ModelFacts, model_facts
from study.results.lock import FILE_NAME as LOCK_NAME
from study.results.run import Run
from study.scorers import Scorer, study_scorer
from study.tasks.items import TaskItems
from study.tasks.lm_eval.entry import TaskEntry, is_staged
from study.tasks.lm_eval.identity import documents_digest, prompt_configuration
from study.tasks.lm_eval.library import TaskLibrary, task_library
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.prompt_forms import check_arms
from study.tasks.prompt_forms.documents import named_fields, options_of
from study.tasks.suites import study_tasks
from study.tuning.data.exposure import exposure
from study.tuning.data.mixing import mixed_pools
from study.tuning.identity import TunedModel, recipe_rendering, tokenizer_digest, tuned_model

LOCKED_PARTS = {
    "weights": "weights",
    "tokenizer": "a tokenizer",
    "generation": "a generation_config.json",
}
"Digests that models and lock have in common, in messages."


class LoadedTasks(dict[str, LmEvalTask]):
    """The tasks of a study by name, each loaded when it is first needed.

    For most plans none is: their items are cached, and so is what is derived from their prompts.
    """

    def __init__(self, library: TaskLibrary, items: Mapping[str, TaskItems | str]) -> None:
        super().__init__()
        self._library, self._items = library, items

    def __missing__(self, name: str) -> LmEvalTask:
        task, items = self._library.load(name), self._items[name]
        if isinstance(items, str) or prompt_configuration(task) != items.prompt_configuration:
            raise StudyError(
                f"task {name}",
                found="files that changed while the study was planned",
                expected="files that stay as they are",
                do="Run the same command again",
            )
        self[name] = task
        return task


@dataclass
class ResolvedStudy:
    """A study with everything that it names looked up."""

    run: Run
    pairs: tuple[Pair, ...]
    tasks: tuple[ListedTask, ...]
    scorer: Scorer | None
    "None where each task's own metric scores."
    entries: dict[str, TaskEntry] = field(default_factory=dict)
    "By task, its configuration in lm-eval."
    models: dict[ModelRef, ModelFacts | str] = field(default_factory=dict)
    "By model, its facts, or why it cannot be used."
    items: dict[str, TaskItems | str] = field(default_factory=dict)
    "By task, its items, or why they cannot be read."
    tuned: dict[ModelRef, TunedModel] = field(default_factory=dict)
    "Models that the study trains."
    renderings: dict[tuple[str, str], Rendering | str] = field(default_factory=dict)
    "By pair and arm with a chat template, what it is rendered from, or why it cannot be."
    exposures: dict[str, dict[str, Exposure]] = field(default_factory=dict)
    "By name of a recipe's mixture and task, what the mixture shows of the task."
    vllm: str | None = None
    "The version of vLLM, where an arm generates by it."
    loaded: dict[str, LmEvalTask] = field(default_factory=dict)
    "By task, the lm-eval task itself; only for tasks whose items could be read."

    @property
    def study(self) -> Study:
        """The study."""
        return self.run.study


def resolve_study(
    run: Run, *, on_step: Callable[[str], object] = lambda message: None
) -> ResolvedStudy:
    """Look up pairs, models and tasks; `on_step` is called with a message before each step."""
    study = run.study
    check_arms(study)
    resolved = ResolvedStudy(run, study_pairs(study), study_tasks(study), study_scorer(study))
    if any(arm.engine == "vllm" for arm in study.parsed_arms()):
        resolved.vllm = vllm_version(vllm_python())
    library = task_library(study)
    resolved.loaded = LoadedTasks(library, resolved.items)
    on_step("reading lm-eval's task list")
    for task in resolved.tasks:
        resolved.entries[task.task] = _entry(study, library, task)
    on_step("looking up models")
    for pair in resolved.pairs:
        for ref in (pair.base, pair.tuned):
            if ref not in resolved.models and not ref.tuned_here:
                resolved.models[ref] = _facts(ref, run)
    if study.tuning.recipes:
        on_step("reading mixtures")
        _resolve_recipes(resolved, library)
    check_pairs(study, resolved.pairs, resolved.models)
    resolved.renderings = study_renderings(study, resolved.pairs, resolved.models)
    on_step(f"reading the items of {len(resolved.tasks)} tasks")
    for task in resolved.tasks:
        _read_items(resolved, library, task.task)
        _check_fields(resolved, task)
        _check_thinking(resolved, task)
    if resolved.scorer is not None:
        tasks = tuple(_with_scorer(resolved, resolved.scorer, task) for task in resolved.tasks)
        resolved.tasks = tasks
    return resolved


def _check_thinking(resolved: ResolvedStudy, task: ListedTask) -> None:
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


def _entry(study: Study, library: TaskLibrary, task: ListedTask) -> TaskEntry:
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


def _with_scorer(resolved: ResolvedStudy, scorer: Scorer, task: ListedTask) -> ListedTask:
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


def _resolve_recipes(resolved: ResolvedStudy, library: TaskLibrary) -> None:
    """Keys and facts of the models that the study trains, whether they exist yet or not."""
    study, pools = resolved.study, {}
    for pair in resolved.pairs:
        recipe = pair.recipe
        if recipe is None:
            continue
        name = recipe.mixture_name
        if name not in pools:
            pools[name] = mixed_pools(recipe, study, library)
            resolved.exposures[name] = {
                task.task: exposure(pools[name], task.task, task.task_type)
                for task in resolved.tasks
            }
        base = resolved.models[pair.base]
        if isinstance(base, str):
            resolved.models[pair.tuned] = base
            continue
        try:
            recipe_rendering(recipe, base, study)
        except StudyError as error:  # another base's chat template may be usable
            resolved.models[pair.tuned] = str(error)
            continue
        model = tuned_model(recipe, pair.base, base, pools[name], resolved.run)
        resolved.tuned[pair.tuned] = model
        resolved.models[pair.tuned] = replace(
            base,
            weights=f"recipe:{model.key}",
            tensors=f"recipe:{model.key}",
            has_template=base.has_template or recipe.template != "tokenizer",
            tokenizer=tokenizer_digest(base.tokenizer, recipe),
            overrides=TokenizerOverrides(
                recipe.template, recipe.marker_token, study.trust_remote_code
            ),
        )


def _check_fields(resolved: ResolvedStudy, task: ListedTask) -> None:
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


def _facts(ref: ModelRef, run: Run) -> ModelFacts | str:
    """Facts about a model; the reason if its files cannot be used, differ from the lock, or are
    not what transformers can load, so that only this model's cells are missing."""
    study, locked = run.study, run.lock.models.get(ref.name)
    try:
        facts = model_facts(
            ref,
            allow_pickled_weights=study.allow_pickled_weights,
            trust_remote_code=study.trust_remote_code,
            locked=locked,
        )
        for part, what in LOCKED_PARTS.items():
            if locked and getattr(facts, part) != getattr(locked, part):
                return _differs_from_lock(facts.folder, what, run)
        check_loadable(facts)
    except StudyError as error:
        return str(error)
    return facts


def _differs_from_lock(where: str | Path, what: str, run: Run) -> str:
    return (
        f"{where}: found {what} other than when the study was staged; expected what {LOCK_NAME} "
        f"names. Restore it, or lock what is there now with `study stage {run.folder}`; its "
        "finished cells are then recomputed"
    )


def _read_items(resolved: ResolvedStudy, library: TaskLibrary, name: str) -> None:
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
            resolved.items[name] = _differs_from_lock(f"task {name}", "items", resolved.run)
        else:
            resolved.items[name] = items
