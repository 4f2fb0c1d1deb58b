"""What a training needs beside its rows: its key, marks of turns, rows that it does not see, the
base to stay near.

In: a recipe, its pools. Out: a digest, `Marking`, rows, the base model's log-probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.errors import StudyError
from study.models.pairs import located
from study.models.weights import ModelFacts, model_facts
from study.tuning.data.mixing import mixed_rows
from study.tuning.data.sources import Pool
from study.tuning.identity import recipe_key

if TYPE_CHECKING:
    from study.tuning.data.examples import Labelled
    from study.tuning.data.marking import Marking

UNSEEN_SEED = 10**6


def key_of(recipe: Recipe, base: ModelFacts, pools: Sequence[Pool], study: Study) -> str:
    """The recipe's key on this base; StudyError if its indicator's seed model is not here."""
    seed_model = seed_facts(recipe, study)
    return recipe_key(
        recipe,
        base=base.weights,
        tokenizer=base.tokenizer,
        seed_model=seed_model.weights if seed_model else "",
        pools=pools,
        layout=study.layout,
    )


def seed_facts(recipe: Recipe, study: Study) -> ModelFacts | None:
    """The indicator's seed model; None where the recipe has no indicator."""
    if recipe.indicator is None:
        return None
    ref = located(recipe.indicator.seed_model, recipe.study_file.parent)
    return model_facts(ref, allow_pickled_weights=study.allow_pickled_weights)


def turns_marked(
    recipe: Recipe,
    study: Study,
    pools: Sequence[Pool],
    device: str,
    tell: Callable[[str], object],
) -> Marking | None:
    """The turns that the recipe's indicator marks among its rows; None where it has none."""
    facts = seed_facts(recipe, study)
    if recipe.indicator is None or facts is None:
        return None
    from study.tuning.data.context_indicator import context_scores, load_seed_model
    from study.tuning.data.marking import marking
    from study.tuning.training.model_setup import tokenizer_for

    if recipe.mixture.rows is None:
        raise StudyError(
            recipe.study_file,
            f"tuning.mixtures.{recipe.mixture_name}",
            found="a number of tokens, and an indicator",
            expected="a number of rows: turns are chosen among all of them",
        )
    rows = list(mixed_rows(recipe.mixture, pools, recipe.format, study.layout, recipe.seed))
    scores = context_scores(
        [row.turns for row in rows],
        load_seed_model(str(facts.folder), device, trust_remote_code=study.trust_remote_code),
        tokenizer_for(facts.folder, recipe.template, None),
        layer=recipe.indicator.layer,
        heads=recipe.indicator.heads,
        on_batch=lambda done: tell(f"scored {done} of {len(rows)} conversations"),
    )
    return marking(recipe.indicator, rows, scores, recipe.seed)


def unseen_rows(
    recipe: Recipe,
    study: Study,
    pools: Sequence[Pool],
    tokenizer: Any,
    longest: int,
    device: str,
    tell: Callable[[str], object],
) -> Sequence[Labelled]:
    """Rows of the same mixture by another seed, marked by the same rule. Of sources that end, some
    are rows of the training: all of them, where it took all."""
    from study.tuning.data.examples import tuning_data
    from study.tuning.training.memorisation import MEASURED_ROWS

    few = recipe.mixture.model_copy(update={"rows": MEASURED_ROWS, "tokens": None})
    other = replace(recipe, mixture=few, seed=recipe.seed + UNSEEN_SEED)
    marking = turns_marked(other, study, pools, device, tell)
    made = tuning_data(other, pools, tokenizer, study.layout, longest=longest, marking=marking)
    return made.rows


def reference(model: Any, folder: Path, recipe: Recipe, device: str) -> Callable[[Any], Any]:
    """Reads the base's log-probabilities at a batch's places: of a model with adapters, the same
    without them; else of a second copy, which is not trained."""
    import torch
    from transformers import AutoModelForCausalLM

    from study.tuning.training.loop import reference_of

    if recipe.adapter is not None:
        read = reference_of(model)

        def without_adapter(batch: Any) -> Any:
            with model.disable_adapter():
                return read(batch)

        return without_adapter
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    tokens = model.get_input_embeddings().weight.shape[0]
    if base.get_input_embeddings().weight.shape[0] != tokens:
        base.resize_token_embeddings(tokens)
    return reference_of(base.to(device).eval())
