"""Identity of tuned models: a key over everything that decides the weights.

In: a recipe, facts about its base model, the pools of its mixture. Out: a key that is known before
anything is trained. By it, no model is tuned twice, and cells of a tuned model have keys like those
of any other model.

    results/tuned/<key>/    the tuned model, with its record `tuning.json`
    results/tuning/<key>/   checkpoints of an unfinished training
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.models.chat_templates.rendering import Rendering
from study.models.chat_templates.study_renderings import model_rendering
from study.models.pairs import ModelRef
from study.models.tokenizers import TokenizerOverrides
from study.models.weights import ModelFacts
from study.results.identity import canonical
from study.results.run import Run
from study.tuning.data.context_indicator import seed_model_facts, seed_rendering
from study.tuning.data.sources import Pool

RECORD = "tuning.json"
"Name of the record in a tuned model's folder; the folder is renamed into place with it."
FINISHED_STEPS = 10**9
"Number of steps that stands for a finished training: more than any has."


@dataclass(frozen=True)
class TunedModel:
    """A model that the study trains."""

    recipe: Recipe
    base: ModelRef
    key: str
    folder: Path
    "Where the model is, or will be."

    @property
    def finished(self) -> bool:
        """Whether the model has been trained."""
        return (self.folder / RECORD).is_file()


def tuned_model(
    recipe: Recipe, base: ModelRef, facts: ModelFacts, pools: Sequence[Pool], run: Run
) -> TunedModel:
    """The tuned model that a recipe makes of a base with these facts, trained or not."""
    key = recipe_key(recipe, facts, pools, run.study)
    return TunedModel(recipe, base, key, tuned_folder(run, key))


def recipe_key(recipe: Recipe, base: ModelFacts, pools: Sequence[Pool], study: Study) -> str:
    """The key of a recipe on a base model, 64 hexadecimal digits. StudyError if the indicator's
    seed model is not on this machine, or the chat template cannot be used."""
    seed_model = seed_model_facts(recipe, study)
    parts: dict[str, Any] = {
        "recipe": recipe.identity(),
        "base": base.weights,
        "tokenizer": base.tokenizer,
        "generation": base.generation,
        "seed_model": _seed_model_identity(recipe, seed_model, study) if seed_model else "",
        "pools": [[pool.name, pool.task_type, pool.digest] for pool in pools],
        "rendering": recipe_rendering(recipe, base, study).identity(),
        "layout": study.layout.model_dump(mode="json"),
    }
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def _seed_model_identity(recipe: Recipe, facts: ModelFacts, study: Study) -> dict[str, Any]:
    return {
        "weights": facts.weights,
        "tokenizer": facts.tokenizer,
        "rendering": seed_rendering(recipe, facts, study).identity(),
    }


def recipe_rendering(recipe: Recipe, base: ModelFacts, study: Study) -> Rendering:
    """What the chat template of the training is rendered from."""
    return model_rendering(
        base,
        TokenizerOverrides(recipe.template, recipe.marker_token, study.trust_remote_code),
        date=study.date,
        arguments=recipe.template_arguments,
    )


def tokenizer_digest(base: str, recipe: Recipe) -> str:
    """Digest of the tuned model's tokenizer: `base`, the digest of the base's tokenizer, unless the
    recipe changes it."""
    if recipe.template == "tokenizer" and recipe.marker_token is None:
        return base
    changed = canonical([base, recipe.template, recipe.marker_token])
    return hashlib.sha256(changed.encode()).hexdigest()


def tuned_folder(run: Run, key: str) -> Path:
    """The folder of the tuned model with this key: in this run, or in one beside it that has
    already trained it."""
    folder = run.results / "tuned" / key
    others = (
        other / run.results.name / "tuned" / key for other in sorted(run.folder.parent.iterdir())
    )
    return next((path for path in (folder, *others) if (path / RECORD).is_file()), folder)


def checkpoint_folder(run: Run, key: str) -> Path:
    """Where an unfinished training keeps the checkpoints that it resumes from."""
    return run.results / "tuning" / key


def steps_done(run: Run, tuned: TunedModel) -> int:
    """Number of steps of the latest checkpoint; `FINISHED_STEPS` if the training is finished."""
    if tuned.finished:
        return FINISHED_STEPS
    checkpoints = checkpoint_folder(run, tuned.key).glob("checkpoint-*")
    return max((int(path.name.split("-")[1]) for path in checkpoints), default=0)
