"""Resolving a study: looking up everything that its file only names.

In: a `Run`. Out: `ResolvedStudy`: pairs, tasks, and for each model and task either its facts or the
reason why they are not available on this machine. Reads local files; never uses the network.
"""

from __future__ import annotations

from collections.abc import Callable

from study.extras import vllm_python, vllm_version
from study.models.chat_templates.study_renderings import study_renderings
from study.models.pair_checks import check_pairs
from study.models.pairs import study_pairs
from study.planning.resolving.models import model_facts_or_reason, resolve_recipes
from study.planning.resolving.resolved_study import LoadedTasks, ResolvedStudy
from study.planning.resolving.tasks import (
    check_fields,
    check_thinking,
    read_items,
    task_entry,
    with_scorer,
)
from study.results.run import Run
from study.scorers import study_scorer
from study.tasks.lm_eval.library import task_library
from study.tasks.prompt_forms import check_arms
from study.tasks.suites import study_tasks


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
        resolved.entries[task.task] = task_entry(study, library, task)
    on_step("looking up models")
    for pair in resolved.pairs:
        for ref in (pair.base, pair.tuned):
            if ref not in resolved.models and not ref.tuned_here:
                resolved.models[ref] = model_facts_or_reason(ref, run)
    if study.tuning.recipes:
        on_step("reading mixtures")
        resolve_recipes(resolved, library)
    check_pairs(study, resolved.pairs, resolved.models)
    resolved.renderings = study_renderings(study, resolved.pairs, resolved.models)
    on_step(f"reading the items of {len(resolved.tasks)} tasks")
    for task in resolved.tasks:
        read_items(resolved, library, task.task)
        check_fields(resolved, task)
        check_thinking(resolved, task)
    if resolved.scorer is not None:
        tasks = tuple(with_scorer(resolved, resolved.scorer, task) for task in resolved.tasks)
        resolved.tasks = tasks
    return resolved
