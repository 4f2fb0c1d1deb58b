"""Trains one model, from its base to a checkpoint folder with a record of the training.

In: a `TunedModel` whose base is on this machine. Out: its folder, an ordinary transformers
checkpoint with `tuning.json` (recipe, digest of the data, tokens by kind, measures, throughput) and
`losses.csv`. After an interruption at any moment, the same call resumes from the last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.errors import StudyError
from study.hardware import computing_device
from study.models.tokenizers import TokenizerOverrides, load_tokenizer
from study.models.weights import ModelFacts, model_facts
from study.results.files import unwritable
from study.results.identity import check_unchanged
from study.results.provenance import source, versions
from study.results.run import Run
from study.tasks.lm_eval.library import TaskLibrary
from study.tuning.data.examples import LabelledExample, TuningData, tuning_data, unseen_rows
from study.tuning.data.marking import Marking, mark_turns
from study.tuning.data.mixing import mixed_pools
from study.tuning.identity import (
    RECORD,
    TunedModel,
    checkpoint_folder,
    recipe_key,
    recipe_rendering,
)
from study.tuning.training.memorisation import MEASURED_ROWS, measure_memorisation
from study.tuning.training.packed_sequences import check_packing

if TYPE_CHECKING:
    from study.tuning.training.loop import TrainingCurve

TURN_SCORES = "turn_scores.csv"
"In the folder of a model tuned with an indicator: the score of every turn."
Report = Callable[[str], object]
"Receives, from time to time, a description of the current step."


@dataclass(frozen=True)
class _Inputs:
    """What a training needs besides the model."""

    base: ModelFacts
    tokenizer: Any
    max_length: int
    marking: Marking | None
    data: TuningData
    unseen: Sequence[LabelledExample]

    @property
    def pad(self) -> int:
        """The token id of padding."""
        return int(self.tokenizer.pad_token_id or 0)


def tune(
    tuned: TunedModel,
    run: Run,
    tasks: TaskLibrary,
    device: str,
    *,
    spread: bool = False,
    report: Report = lambda what: None,
) -> None:
    """Train a model unless it is finished. `spread` distributes the weights over all GPUs.

    ChangedError if the base or the data changed since the study was planned; StudyError for faults
    of the recipe or its data.
    """
    if tuned.finished:
        return
    from study.tuning.training.loop import train
    from study.tuning.training.model_setup import load_trainable
    from study.tuning.training.reference_model import load_reference

    recipe, study = tuned.recipe, run.study
    inputs = _prepare(tuned, study, tasks, device, report)
    model = load_trainable(
        inputs.base.folder,
        recipe,
        inputs.tokenizer,
        device,
        spread=spread,
        trust_remote_code=study.trust_remote_code,
    )
    check_packing(model, recipe, study)
    base_measures = _measures(model, inputs, recipe, device)
    reference = None
    if recipe.loss.kl:
        trust = study.trust_remote_code
        folder = inputs.base.folder
        reference = load_reference(model, folder, recipe, device, trust_remote_code=trust)
    checkpoints = checkpoint_folder(run, tuned.key)
    steps = -(-len(inputs.data.rows) * recipe.optimiser.epochs // recipe.optimiser.batch)
    curve = train(
        model,
        inputs.data.rows,
        recipe,
        key=tuned.key,
        folder=checkpoints,
        device=device,
        max_length=inputs.max_length,
        pad=inputs.pad,
        reference=reference,
        on_step=lambda step, loss: report(f"step {step} of {steps:.0f}, loss {loss:.4f}"),
    )
    measures = {"base": base_measures, "tuned": _measures(model, inputs, recipe, device)}
    _save(tuned, model, inputs, curve, _record(tuned, inputs, measures, curve, device))
    shutil.rmtree(checkpoints, ignore_errors=True)


def _prepare(
    tuned: TunedModel, study: Study, tasks: TaskLibrary, device: str, report: Report
) -> _Inputs:
    recipe = tuned.recipe
    base = model_facts(
        tuned.base,
        allow_pickled_weights=study.allow_pickled_weights,
        trust_remote_code=study.trust_remote_code,
    )
    pools = mixed_pools(recipe, study, tasks)
    key = recipe_key(recipe, base, pools, study)
    check_unchanged("the recipe's base or data", key, tuned.key)
    report("rendering the mixture")
    overrides = TokenizerOverrides(recipe.template, recipe.marker_token, study.trust_remote_code)
    tokenizer = load_tokenizer(base.folder, overrides)
    rendered_from = recipe_rendering(recipe, base, study)
    max_length = _max_length(recipe, base)
    marking = mark_turns(recipe, study, pools, device, report)
    data = tuning_data(
        recipe, study, pools, tokenizer, rendered_from, max_length=max_length, marking=marking
    )
    unseen = unseen_rows(
        recipe,
        study,
        pools,
        tokenizer,
        rendered_from,
        rows=MEASURED_ROWS,
        max_length=max_length,
        device=device,
        report=report,
    )
    return _Inputs(base, tokenizer, max_length, marking, data, unseen)


def _max_length(recipe: Recipe, base: ModelFacts) -> int:
    """Tokens of the longest row: the base's context window, or less if the recipe says so."""
    limits = [limit for limit in (recipe.optimiser.longest, base.window) if limit is not None]
    if not limits:
        raise StudyError(
            base.folder,
            found="a configuration without a context window",
            expected="a maximum length",
            do="Set the optimiser's `longest`",
        )
    return min(limits)


def _measures(
    model: Any, inputs: _Inputs, recipe: Recipe, device: str
) -> dict[str, dict[str, float]]:
    return {
        name: measure_memorisation(
            model,
            rows,
            max_length=inputs.max_length,
            tokens_at_once=recipe.optimiser.tokens_at_once,
            pad=inputs.pad,
            device=device,
        )
        for name, rows in (("train", inputs.data.rows), ("unseen", inputs.unseen))
    }


def _record(
    tuned: TunedModel,
    inputs: _Inputs,
    measures: dict[str, dict[str, dict[str, float]]],
    curve: TrainingCurve,
    device: str,
) -> dict[str, Any]:
    """The content of `tuning.json`."""
    recipe, data = tuned.recipe, inputs.data
    return {
        "key": tuned.key,
        "recipe": recipe.name,
        "identity": recipe.identity(),
        "base": tuned.base.name,
        "base_weights": inputs.base.weights,
        "data": {
            "digest": data.digest(),
            "rows": len(data.rows),
            "sources": data.sources,
            "dropped": data.dropped,
            "truncated": data.truncated,
            "tokens": data.tokens(),
            "marked_turns": data.marked_turns,
        },
        "measures": measures,
        **curve.summary(),
        "provenance": {
            "versions": versions(),
            "source": source(),
            "hardware": computing_device(device),
            "seed": recipe.seed,
        },
    }


def _save(
    tuned: TunedModel, model: Any, inputs: _Inputs, curve: TrainingCurve, record: dict[str, Any]
) -> None:
    """Write the tuned model's folder under a temporary name and rename it."""
    from study.tuning.training.model_setup import save_tuned

    folder = tuned.folder
    temporary = folder.with_name(f".{folder.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        base = inputs.base
        trust = base.trust_remote_code
        recipe, tokenizer = tuned.recipe, inputs.tokenizer
        save_tuned(model, base.folder, recipe, tokenizer, temporary, trust_remote_code=trust)
        (temporary / "losses.csv").write_text(curve.table())
        if inputs.marking is not None:
            (temporary / TURN_SCORES).write_text(inputs.marking.table())
        (temporary / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        if not tuned.finished:
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
        shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise unwritable(folder, error) from error
