"""One model tuned, from its base to a checkpoint folder with a record of what was done.

In: a `TunedModel` whose base is on this machine. Out: its folder, an ordinary transformers
checkpoint with `tuning.json` (resolved recipe, data digest, tokens by kind, throughput) and
`losses.csv`. Killed at any moment, the same call goes on from the last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.design import Study
from study.errors import StudyError
from study.files import unwritable
from study.harness import Harness
from study.identity import check_unchanged
from study.provenance import hardware, source, versions
from study.tuning.identity import RECORD, TunedModel, checkpoints, recipe_key
from study.tuning.mixture import mixed_pools, mixed_rows
from study.tuning.sources import Pool
from study.weights import ModelFacts, model_facts

SCORES = "turn_scores.csv"
"In the folder of a model tuned with an indicator: every turn's score, and whether it is marked."
UNSEEN_SEED = 10**6
Tell = Callable[[str], object]
"Is told, now and then, what is being done."


def tune(
    tuned: TunedModel, study: Study, run: Path, harness: Harness, device: str, *,
    spread: bool = False, tell: Tell = lambda what: None,
) -> dict[str, Any]:  # fmt: skip
    """Trains the model unless it stands there; returns its record."""
    if tuned.finished:
        return read_record(tuned.folder)
    from study.tuning.adapting import save_whole, tokenizer_for, trainable
    from study.tuning.data import tuning_data
    from study.tuning.measures import measured
    from study.tuning.packing import leaks
    from study.tuning.training import train

    recipe = tuned.recipe
    base = model_facts(tuned.base, allow_pickled_weights=study.allow_pickled_weights)
    pools = mixed_pools(recipe, harness)
    check_unchanged("the recipe's base or data", _key(tuned, study, base, pools), tuned.key)
    tell("rendering the mixture")
    tokenizer = tokenizer_for(base.folder, recipe.template, recipe.marker_token)
    longest = min(recipe.optimiser.longest or 10**9, base.window or 10**9)
    if longest == 10**9:
        raise StudyError(
            base.folder,
            found="a configuration that names no window",
            expected="a longest length",
            do="Set the optimiser's `longest`",
        )
    marking = _marking(tuned, study, pools, device, tell)
    data = tuning_data(recipe, pools, tokenizer, study.layout, longest=longest, marking=marking)
    model = trainable(base.folder, recipe, tokenizer, device, spread=spread,
                      remote_code=study.trust_remote_code)  # fmt: skip
    if device != "cpu" and not spread:
        model = model.to(device)
    if recipe.optimiser.packing and leaks(model, model.get_input_embeddings().weight.shape[0]):
        raise StudyError(recipe.study_file, "tuning.optimisers: packing",
                         found=f"{type(model).__name__}, in which documents of one row see each "
                         "other", expected="an architecture whose masks keep them apart",
                         do="Set `packing: false`")  # fmt: skip
    unseen = _unseen(recipe, pools, tokenizer, study, longest, marking)
    how: dict[str, Any] = {"longest": longest, "tokens_at_once": recipe.optimiser.tokens_at_once,
           "pad": tokenizer.pad_token_id or 0, "device": device}  # fmt: skip
    before = {"train": measured(model, data.rows, **how), "unseen": measured(model, unseen, **how)}
    work = checkpoints(run, tuned.key)
    steps = -(-len(data.rows) * recipe.optimiser.epochs // recipe.optimiser.batch)
    curve = train(
        model, data.rows, recipe, key=tuned.key, folder=work, device=device, longest=longest,
        pad=tokenizer.pad_token_id or 0,
        reference=_reference(model, base.folder, recipe, device) if recipe.loss.kl else None,
        on_step=lambda step, loss: tell(f"step {step} of {steps:.0f}, loss {loss:.4f}"),
    )  # fmt: skip
    record = {
        "key": tuned.key,
        "recipe": recipe.name,
        "identity": recipe.identity(),
        "base": tuned.base.name,
        "base_weights": base.weights,
        "data": {
            "digest": data.digest(), "rows": len(data.rows), "sources": data.sources,
            "dropped": data.dropped, "truncated": data.truncated, "tokens": data.tokens(),
            "marked_turns": data.marked_turns,
        },
        "steps": len(curve.losses),
        "first_loss": curve.losses[0],
        "last_loss": curve.losses[-1],
        "measures": {
            "base": before,
            "tuned": {"train": measured(model, data.rows, **how),
                      "unseen": measured(model, unseen, **how)},
        },
        "tokens_per_second": curve.tokens / curve.seconds,
        "seconds": curve.seconds,
        "resumed_at": curve.resumed_at,
        "provenance": {"versions": versions(), "source": source(),
                       "hardware": hardware(device), "seed": recipe.seed},
    }  # fmt: skip

    def write(folder: Path) -> None:
        save_whole(model, base.folder, recipe, tokenizer, folder)
        lines = [f"{step},{loss!r}" for step, loss in enumerate(curve.losses, start=1)]
        (folder / "losses.csv").write_text("\n".join(["step,loss", *lines]) + "\n")
        if marking is not None:
            (folder / SCORES).write_text(marking.table())
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")

    _put(tuned.folder, write)
    shutil.rmtree(work, ignore_errors=True)
    return record


def read_record(folder: Path) -> dict[str, Any]:
    """What was done to make a tuned model; StudyError if it is damaged."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(
            folder / RECORD,
            found=f"{error}",
            expected="a record of tuning",
            do="Remove the folder: the model is then tuned anew",
        ) from None
    return dict(content)


def key_of(
    tuned_recipe: Any, base: ModelFacts, seed_model: str, pools: list[Pool], study: Study
) -> str:
    """The recipe's key on this base."""
    return recipe_key(
        tuned_recipe, base=base.weights, tokenizer=base.tokenizer, seed_model=seed_model,
        pools=pools, layout=study.layout,
    )  # fmt: skip


def _key(tuned: TunedModel, study: Study, base: ModelFacts, pools: list[Pool]) -> str:
    return key_of(tuned.recipe, base, seed_digest(tuned.recipe, study), pools, study)


def seed_digest(recipe: Any, study: Study) -> str:
    """Of the model that scores turns; empty where the recipe has none."""
    return seed_facts(recipe, study).weights if recipe.indicator else ""


def seed_facts(recipe: Any, study: Study) -> ModelFacts:
    """The indicator's seed model; StudyError if it is not on this machine."""
    from study.pairs import located

    ref = located(recipe.indicator.seed_model, recipe.study_file.parent)
    return model_facts(ref, allow_pickled_weights=study.allow_pickled_weights)


def _marking(tuned: TunedModel, study: Study, pools: list[Pool], device: str, tell: Tell) -> Any:
    recipe = tuned.recipe
    if recipe.indicator is None:
        return None
    from study.tuning.indicator import context_scores, load_seed_model
    from study.tuning.marking import marking

    if recipe.mixture.rows is None:
        raise StudyError(
            recipe.study_file,
            f"tuning.mixtures.{recipe.mixture_name}",
            found="a number of tokens, and an indicator",
            expected="a number of rows: turns are chosen among all of them",
        )
    rows = list(mixed_rows(recipe.mixture, pools, recipe.format, study.layout, recipe.seed))
    facts = seed_facts(recipe, study)
    from study.tuning.adapting import tokenizer_for

    seed = load_seed_model(str(facts.folder), device, trust_remote_code=study.trust_remote_code)
    scores = context_scores(
        [row.turns for row in rows], seed, tokenizer_for(facts.folder, recipe.template, None),
        layer=recipe.indicator.layer, heads=recipe.indicator.heads,
        on_batch=lambda done: tell(f"scored {done} of {len(rows)} conversations"),
    )  # fmt: skip
    return marking(recipe.indicator, rows, scores, recipe.seed)


def _unseen(
    recipe: Any, pools: list[Pool], tokenizer: Any, study: Study, longest: int, marking: Any
) -> Any:
    """Rows of the same mixture by another seed. Of sources that end, some are rows of the training:
    all of them, where it took all."""
    from study.tuning.data import tuning_data
    from study.tuning.measures import MEASURED_ROWS

    few = recipe.mixture.model_copy(update={"rows": MEASURED_ROWS, "tokens": None})
    other = replace(recipe, mixture=few, seed=recipe.seed + UNSEEN_SEED)
    return tuning_data(other, pools, tokenizer, study.layout, longest=longest, marking=marking).rows


def _reference(model: Any, folder: Path, recipe: Any, device: str) -> Any:
    from study.tuning.training import reference_of

    if recipe.adapter is not None:
        read = reference_of(model)

        def without_adapter(batch: Any) -> Any:
            with model.disable_adapter():
                return read(batch)

        return without_adapter
    import torch
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    base = base.to(device).eval()
    if model.get_input_embeddings().weight.shape != base.get_input_embeddings().weight.shape:
        base.resize_token_embeddings(model.get_input_embeddings().weight.shape[0])
    return reference_of(base)


def _put(folder: Path, write: Callable[[Path], None]) -> None:
    """Writes a folder beside its place and renames it."""
    temporary = folder.with_name(f".{folder.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        write(temporary)
        if not (folder / RECORD).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
        shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise unwritable(folder, error) from error
