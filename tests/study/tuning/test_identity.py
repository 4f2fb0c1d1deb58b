"""Keys of tuned models: what is part of them, and where models and checkpoints are."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.models.chat_templates.published import TEMPLATES
from study.results.run import Run
from study.tuning.identity import (
    FINISHED_STEPS,
    checkpoint_folder,
    steps_done,
    tokenizer_digest,
    tuned_folder,
)
from tests.study.tuning.small_studies import changed, the_model, the_recipe, write_study

GOLDEN = "4dcd682011ec2c638bb517dca7d9e33942add5a3755008716adef134c8fa4c45"


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


def test_arguments_of_the_template_and_a_date_that_it_prints_are_part_of_the_key(
    tmp_path: Path,
) -> None:
    def key(name: str, template: str, date: dt.date, **arguments: bool) -> str:
        recipe = {"template": template, "template_arguments": arguments}
        folder = write_study(tmp_path / name, changed(recipe=recipe))
        content = yaml.safe_load((folder / "study.yaml").read_text())
        (folder / "study.yaml").write_text(yaml.safe_dump({**content, "date": date}))
        return the_model(folder).key

    first, second = dt.date(2026, 1, 1), dt.date(2026, 1, 2)
    dated = "{{ strftime_now('%d') }}{{ think }}" + TEMPLATES["tulu"]
    keys = [
        key("a", dated, first),
        key("b", dated, second),
        key("c", dated, first, think=True),
        key("d", dated, first, think=False),
    ]
    assert len(set(keys)) == len(keys)
    assert key("e", "tulu", first) == key("f", "tulu", second)


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
