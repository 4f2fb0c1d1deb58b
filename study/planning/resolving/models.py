"""The models of a study, looked up: those on this machine, and those that the study trains.

In: a reference to a model, or a recipe. Out: facts about the model, or the reason why its cells are
missing.
"""

from __future__ import annotations

from dataclasses import replace

from study.errors import StudyError
from study.models.folders.loader import check_loadable
from study.models.pairs import ModelRef
from study.models.tokenizers import TokenizerOverrides
from study.models.weights import ModelFacts, model_facts
from study.planning.resolving.resolved_study import ResolvedStudy, differs_from_lock
from study.results.run import Run
from study.tasks.lm_eval.library import TaskLibrary
from study.tuning.data.exposure import exposure
from study.tuning.data.mixing import mixed_pools
from study.tuning.identity import recipe_rendering, tokenizer_digest, tuned_model

LOCKED_PARTS = {
    "weights": "weights",
    "tokenizer": "a tokenizer",
    "generation": "a generation_config.json",
}
"Digests that models and lock have in common, in messages."


def model_facts_or_reason(ref: ModelRef, run: Run) -> ModelFacts | str:
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
                return differs_from_lock(facts.folder, what, run)
        check_loadable(facts)
    except StudyError as error:
        return str(error)
    return facts


def resolve_recipes(resolved: ResolvedStudy, library: TaskLibrary) -> None:
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
