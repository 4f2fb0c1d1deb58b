"""Grids become recipes, each with a name and an identity of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from study.config.tuning.grids import AXES, Recipe, recipes
from study.config.tuning.methods import Loss, Optimiser
from study.config.tuning.recipes import Tuning


def test_ten_lines_make_ninety_models() -> None:
    text = """
mixtures:
  all: {sources: [{zoo: [reverse, category]}], rows: 100}
  strings: {like: all, only: [strings]}
  rest: {like: all, without: [strings]}
recipes:
  - name: grid
    bases: [{source: zoo, pair: [llama-late-s, neox-late-s, olmo2-late-s]}]
    mixture: [all, strings, rest]
    format: [flan, samplegen]
    seed: [0, 1, 2, 3, 4]
"""
    assert len(text.strip().splitlines()) == 10
    tuning = Tuning.model_validate(yaml.safe_load(text))
    expanded = list(recipes(tuning, tuning.recipes[0]))
    assert 3 * len(expanded) == 90
    assert len({recipe.name for recipe in expanded}) == 30
    identities = {json.dumps(recipe.identity(), sort_keys=True) for recipe in expanded}
    assert len(identities) == 30
    assert [recipe.name for recipe in expanded[:2]] == ["grid-all-flan-s0", "grid-all-flan-s1"]
    assert [recipe.writes for recipe in expanded[:6]] == [False] * 5 + [True]


TUNING: dict[str, Any] = {
    "mixtures": {
        "one": {"sources": [{"zoo": ["reverse"]}], "rows": 100},
        "two": {"sources": [{"zoo": ["reverse"]}], "rows": 200},
    },
    "losses": {"noisy": {"neftune": 5}},
    "indicators": {
        "score": {"seed_model": "zoo:llama-late-s/base", "marker": "<C>"},
        "text": {"seed_model": "zoo:llama-late-s/base", "marker": "<C>", "marked": "text"},
    },
    "optimisers": {"fast": {"learning_rate": 1e-3}},
    "adapters": {"small": {"r": 8}},
}
GRID: dict[str, Any] = {"name": "grid", "bases": [{"source": "zoo"}], "mixture": "one"}


def expanded(**changes: Any) -> list[Recipe]:
    """The recipes of one grid."""
    tuning = Tuning.model_validate({**TUNING, "recipes": [{**GRID, **changes}]})
    return list(recipes(tuning, tuning.recipes[0]))


def test_a_grid_without_lists_is_one_recipe_of_defaults() -> None:
    (recipe,) = expanded()
    assert (recipe.name, recipe.grid, recipe.mixture_name) == ("grid", "grid", "one")
    assert (recipe.format, recipe.seed, recipe.template) == ("flan", 0, "tokenizer")
    assert (recipe.loss, recipe.optimiser) == (Loss(), Optimiser())
    assert recipe.indicator is recipe.adapter is recipe.marker_token is None
    assert recipe.mixture.rows == 100
    assert recipe.mixture_key == "tuning.mixtures.one"
    assert set(recipe.values) == set(AXES)


@pytest.mark.parametrize(
    ("axis", "value", "found"),
    [
        ("mixture", "two", lambda recipe: recipe.mixture.rows == 200),
        ("format", "samplegen", lambda recipe: recipe.writes),
        ("loss", "noisy", lambda recipe: recipe.loss.neftune == 5),
        ("loss", "all", lambda recipe: recipe.loss.over == "all"),
        ("indicator", "score", lambda recipe: recipe.marker_token == "<C>"),
        ("indicator", "text", lambda recipe: recipe.marker_token is None),
        ("optimiser", "fast", lambda recipe: recipe.optimiser.learning_rate == 1e-3),
        ("adapter", "small", lambda recipe: recipe.adapter.r == 8),
        ("seed", 7, lambda recipe: recipe.seed == 7),
    ],
)
def test_every_axis_changes_the_recipe_its_name_and_its_identity(
    axis: str, value: Any, found: Callable[[Recipe], bool]
) -> None:
    (plain,), (changed,) = expanded(), expanded(**{axis: value})
    assert changed.name == "grid", "an axis of one value is not in the name"
    assert found(changed)
    assert changed.values[axis] == value
    assert changed.identity() != plain.identity()
    json.dumps(changed.identity())
    several = expanded(**{axis: [plain.values[axis], value]})
    label = f"s{value}" if axis == "seed" else value
    assert [recipe.name for recipe in several][1] == f"grid-{label}"
    assert several[1].identity() == changed.identity()


def test_how_a_training_is_computed_is_not_in_its_identity() -> None:
    def identity(**optimiser: Any) -> dict[str, Any]:
        tuning = Tuning.model_validate(
            {
                **TUNING,
                "optimisers": {"fast": optimiser},
                "recipes": [{**GRID, "optimiser": "fast"}],
            }
        )
        return next(recipes(tuning, tuning.recipes[0])).identity()

    plain = identity()
    assert identity(checkpoint_steps=7) == plain
    assert identity(tokens_at_once=64) == plain
    assert identity(gradient_checkpointing=True) == plain
    changed = {"batch": 3, "epochs": 2, "packing": False, "precision": "bfloat16", "clip": 0.5}
    for key, value in changed.items():
        assert identity(**{key: value}) != plain, key
    (chat,) = expanded(template="chatml")
    assert chat.identity() != plain
    assert plain["version"] == 1


@pytest.mark.parametrize("axis", AXES)
def test_an_empty_list_is_no_grid_without_recipes(axis: str) -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        expanded(**{axis: []})
