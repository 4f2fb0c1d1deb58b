"""Keys of tuned models: what is part of them, and where models and checkpoints are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.results.run import Run
from study.tuning.identity import (
    FINISHED_STEPS,
    checkpoint_folder,
    steps_done,
    tokenizer_digest,
    tuned_folder,
)
from tests.study.tuning.small_studies import changed, the_model, the_recipe, write_study

GOLDEN = "0ebcf8d262cbbedb3eef412a77fd12608793d04da421a8dced054fdb65cd79ab"


def test_golden_key(tmp_path: Path) -> None:
    """The key of one recipe; other keys would mean tuning everything again."""
    assert the_model(write_study(tmp_path / "run")).key == GOLDEN


@pytest.mark.parametrize(
    "parts",
    [
        {"recipe": {"seed": 1}},
        {"recipe": {"format": "samplegen"}},
        {"recipe": {"template": "tulu"}},
        {"recipe": {"bases": [{"source": "zoo", "pair": ["llama-late-s"]}]}},
        {"recipe": {"loss": "all"}},
        {"mixture": {"rows": 321}},
        {"mixture": {"sources": [{"zoo": ["reverse", "category", "lookup"]}]}},
        {"optimiser": {"learning_rate": 1e-3}},
    ],
)
def test_everything_that_moves_weights_changes_the_key(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    key = the_model(write_study(tmp_path / "run", changed(**parts))).key
    assert key != GOLDEN
    assert len(key) == 64


@pytest.mark.parametrize(
    "parts",
    [
        {"recipe": {"name": "other"}},
        {"optimiser": {"checkpoint_steps": 7}},
        {"optimiser": {"tokens_at_once": 64, "gradient_checkpointing": True}},
    ],
)
def test_names_and_execution_do_not(parts: dict[str, Any], tmp_path: Path) -> None:
    assert the_model(write_study(tmp_path / "run", changed(**parts))).key == GOLDEN


def test_tokenizer_of_the_base_unless_the_recipe_changes_it(tmp_path: Path) -> None:
    plain = the_recipe(Run.open(write_study(tmp_path / "plain")))
    tulu = the_recipe(
        Run.open(write_study(tmp_path / "tulu", changed(recipe={"template": "tulu"})))
    )
    assert tokenizer_digest("base", plain) == "base"
    assert len(tokenizer_digest("base", tulu)) == 64


def test_a_model_trained_in_a_run_beside_is_used(tmp_path: Path) -> None:
    run = Run.open(write_study(tmp_path / "one"))
    beside = Run.open(write_study(tmp_path / "two"))
    tuned = the_model(run.folder)
    assert tuned.folder == run.folder / "results" / "tuned" / tuned.key
    (beside.results / "tuned" / tuned.key).mkdir(parents=True)
    assert tuned_folder(run, tuned.key) == tuned.folder  # not finished there
    (beside.results / "tuned" / tuned.key / "tuning.json").write_text("{}")
    assert tuned_folder(run, tuned.key) == beside.results / "tuned" / tuned.key
    assert the_model(run.folder).finished


def test_steps_done(tmp_path: Path) -> None:
    run = Run.open(write_study(tmp_path / "run"))
    tuned = the_model(run.folder)
    assert steps_done(run, tuned) == 0
    for step in (5, 10):
        (checkpoint_folder(run, tuned.key) / f"checkpoint-{step}").mkdir(parents=True)
    assert steps_done(run, tuned) == 10
    tuned.folder.mkdir(parents=True)
    (tuned.folder / "tuning.json").write_text("{}")
    assert steps_done(run, tuned) == FINISHED_STEPS
