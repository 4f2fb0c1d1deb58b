"""One model tuned, from its base to a checkpoint folder with a record of what was done.

In: a `TunedModel` whose base is on this machine. Out: its folder, an ordinary transformers
checkpoint with `tuning.json` (resolved recipe, data digest, tokens by kind, measures, throughput)
and `losses.csv`. Killed at any moment, the same call goes on from the last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.errors import StudyError
from study.models.weights import ModelFacts, model_facts
from study.results.files import unwritable
from study.results.identity import check_unchanged
from study.results.provenance import hardware, source, versions
from study.tasks.lm_eval_tasks import Harness
from study.tuning.data.mixing import mixed_pools
from study.tuning.identity import RECORD, TunedModel, checkpoints
from study.tuning.preparing import key_of, reference, turns_marked, unseen_rows

SCORES = "turn_scores.csv"
"In the folder of a model tuned with an indicator: every turn's score, and whether it is marked."
Tell = Callable[[str], object]
"Is told, now and then, what is being done."


def tune(
    tuned: TunedModel,
    study: Study,
    run: Path,
    harness: Harness,
    device: str,
    *,
    spread: bool = False,
    tell: Tell = lambda what: None,
) -> None:
    """Trains the model unless it stands there. ChangedError if its base or data are others than
    when it was planned; StudyError for what the recipe or its data has wrong."""
    if tuned.finished:
        return
    from study.tuning.data.examples import tuning_data
    from study.tuning.training.loop import train
    from study.tuning.training.memorisation import measured
    from study.tuning.training.model_setup import save_whole, tokenizer_for, trainable

    recipe = tuned.recipe
    base = model_facts(tuned.base, allow_pickled_weights=study.allow_pickled_weights)
    pools = mixed_pools(recipe, harness)
    check_unchanged("the recipe's base or data", key_of(recipe, base, pools, study), tuned.key)
    tell("rendering the mixture")
    tokenizer = tokenizer_for(base.folder, recipe.template, recipe.marker_token)
    longest = _longest(recipe, base)
    marking = turns_marked(recipe, study, pools, device, tell)
    data = tuning_data(recipe, pools, tokenizer, study.layout, longest=longest, marking=marking)
    unseen = unseen_rows(recipe, study, pools, tokenizer, longest, device, tell)
    model = trainable(
        base.folder, recipe, tokenizer, device, spread=spread, remote_code=study.trust_remote_code
    )
    _check_packing(model, recipe)

    def measures() -> dict[str, dict[str, float]]:
        how = (longest, recipe.optimiser.tokens_at_once, tokenizer.pad_token_id or 0, device)
        return {"train": measured(model, data.rows, *how), "unseen": measured(model, unseen, *how)}

    before = measures()
    work = checkpoints(run, tuned.key)
    steps = -(-len(data.rows) * recipe.optimiser.epochs // recipe.optimiser.batch)
    curve = train(
        model,
        data.rows,
        recipe,
        key=tuned.key,
        folder=work,
        device=device,
        longest=longest,
        pad=tokenizer.pad_token_id or 0,
        reference=reference(model, base.folder, recipe, device) if recipe.loss.kl else None,
        on_step=lambda step, loss: tell(f"step {step} of {steps:.0f}, loss {loss:.4f}"),
    )
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
        "measures": {"base": before, "tuned": measures()},
        **curve.told(),
        "provenance": {"versions": versions(), "source": source(),
                       "hardware": hardware(device), "seed": recipe.seed},
    }  # fmt: skip

    def write(folder: Path) -> None:
        save_whole(model, base.folder, recipe, tokenizer, folder)
        (folder / "losses.csv").write_text(curve.table())
        if marking is not None:
            (folder / SCORES).write_text(marking.table())
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")

    _put(tuned.folder, write)
    shutil.rmtree(work, ignore_errors=True)


def _longest(recipe: Recipe, base: ModelFacts) -> int:
    """Tokens of the longest row: the model's window, or less where the recipe says so."""
    known = [length for length in (recipe.optimiser.longest, base.window) if length is not None]
    if not known:
        raise StudyError(
            base.folder,
            found="a configuration that names no window",
            expected="a longest length",
            do="Set the optimiser's `longest`",
        )
    return min(known)


def _check_packing(model: Any, recipe: Recipe) -> None:
    from study.tuning.training.packed_sequences import leaks

    if recipe.optimiser.packing and leaks(model, model.get_input_embeddings().weight.shape[0]):
        raise StudyError(
            recipe.study_file,
            "tuning.optimisers: packing",
            found=f"{type(model).__name__}, in which documents of one row see each other",
            expected="an architecture whose masks keep them apart",
            do="Set `packing: false`",
        )


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
