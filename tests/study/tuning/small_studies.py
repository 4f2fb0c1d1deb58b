"""A small tuning study, whose parts tests change, and its models identified and trained here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from study.config.tuning.grids import Recipe
from study.models.pairs import study_pairs
from study.models.weights import model_facts
from study.results.run import Run
from study.tasks.lm_eval.library import task_library
from study.tuning.data.mixing import mixed_pools
from study.tuning.data.sources import Pool
from study.tuning.identity import RECORD, TunedModel, tuned_model
from study.tuning.tune import tune

SKILLS = ["reverse", "category", "maximum"]
TUNING: dict[str, Any] = {
    "mixtures": {"three": {"sources": [{"zoo": SKILLS}], "rows": 320}},
    "optimisers": {
        "tiny": {"learning_rate": 2e-3, "batch": 16, "epochs": 2, "checkpoint_steps": 5}
    },
    "recipes": [
        {
            "name": "r",
            "bases": [{"source": "zoo", "pair": ["llama-late-xs"]}],
            "mixture": "three",
            "optimiser": "tiny",
        }
    ],
}


def changed(**parts: Any) -> dict[str, Any]:
    """`TUNING` with some parts changed (`recipe`, `optimiser`, `mixture`) or added."""
    tuning = json.loads(json.dumps(TUNING))
    tuning["recipes"][0].update(parts.pop("recipe", {}))
    tuning["optimisers"]["tiny"].update(parts.pop("optimiser", {}))
    tuning["mixtures"]["three"].update(parts.pop("mixture", {}))
    return {**tuning, **parts}


def write_study(folder: Path, tuning: dict[str, Any] | None = None) -> Path:
    """A run folder with a study of two arms and two tasks that tunes its models."""
    content = {
        "name": "small",
        "layout": "zoo",
        "tuning": TUNING if tuning is None else tuning,
        "arms": ["base-2shot", "tuned-0shot-chat"],
        "limit": 12,
        "draws": 1,
        "tasks": {"suite": "zoo_mc", "only": ["zoo_reverse_mc", "zoo_home_mc"]},
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return folder


def mixture_run(folder: Path, mixture: dict[str, Any], **recipe: Any) -> Run:
    """A run with one recipe on this mixture."""
    grid = {
        "name": "r",
        "bases": [{"source": "zoo", "pair": ["llama-late-xs"]}],
        "mixture": "m",
        **recipe,
    }
    return Run.open(write_study(folder, {"mixtures": {"m": mixture}, "recipes": [grid]}))


def the_recipe(run: Run) -> Recipe:
    """The recipe of the run's only pair."""
    (pair,) = study_pairs(run.study)
    assert pair.recipe is not None
    return pair.recipe


def pools_of(run: Run) -> list[Pool]:
    """The pools of the only recipe's mixture."""
    return mixed_pools(the_recipe(run), run.study, task_library(run.study))


def the_model(folder: Path) -> TunedModel:
    """The run's only tuned model, trained or not."""
    run = Run.open(folder)
    (pair,) = study_pairs(run.study)
    facts = model_facts(pair.base, allow_pickled_weights=False)
    return tuned_model(the_recipe(run), pair.base, facts, pools_of(run), run)


def tune_here(folder: Path, device: str = "cpu") -> TunedModel:
    """Train the run's only model in this process."""
    run = Run.open(folder)
    tuned = the_model(folder)
    tune(tuned, run, task_library(run.study), device)
    return tuned


def record_of(tuned: TunedModel) -> dict[str, Any]:
    """The record of a trained model."""
    record: dict[str, Any] = json.loads((tuned.folder / RECORD).read_text())
    return record


def weights(tuned: TunedModel) -> bytes:
    """The weights of a trained model, to the last byte."""
    return (tuned.folder / "model.safetensors").read_bytes()
