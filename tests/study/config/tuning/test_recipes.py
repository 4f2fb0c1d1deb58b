"""What the section `tuning` accepts: names, and mixtures that inherit from others."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from study.config.tuning.methods import Loss
from study.config.tuning.recipes import Base, ChosenBases, Tuning

ALL: dict[str, Any] = {"sources": [{"zoo": ["reverse"]}], "rows": 100, "cap": 7}


def test_a_mixture_inherits_what_it_does_not_give() -> None:
    mixtures = {
        "all": ALL,
        "tokens": {"like": "all", "tokens": 50, "only": ["strings"]},
        "small": {"like": "tokens", "cap": 3},
    }
    tuning = Tuning.model_validate({"mixtures": mixtures})
    small = tuning.mixture("small")
    assert (small.rows, small.tokens, small.cap, small.only) == (None, 50, 3, ["strings"])
    assert small.sources == tuning.mixture("all").sources


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"mixtures": {"a": {"like": "b"}, "b": {"like": "a"}}}, "another mixture, found a circle"),
        ({"mixtures": {"a": {"rows": 3}}}, "mixtures.a.sources: at least one, found none"),
        ({"mixtures": {"a": {**ALL, "tokens": 3}}}, "mixtures.a: either rows or tokens"),
        ({"mixtures": {"a": {**ALL, "like": "c"}}}, "mixtures.a.like: one of 'a', found 'c'"),
        ({"losses": {"l": {"over": "weighted"}}}, "instruction_weight: required with"),
        ({"losses": {"l": {"kl_as_released": True}}}, "kl: a weight above zero"),
        (
            {
                "mixtures": {"a": ALL},
                "recipes": [
                    {"name": "r", "bases": [{"source": "zoo"}], "mixture": "a", "loss": "outputs"}
                ],
            },
            r"recipes\[0\].loss: one of .*found 'outputs'. Did you mean 'output'",
        ),
    ],
)
def test_sections_that_are_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Tuning.model_validate(section)


def test_losses_by_name() -> None:
    tuning = Tuning.model_validate({"losses": {"mine": {"kl": 0.1}}})
    assert tuning.loss("mine").kl == 0.1
    assert tuning.loss("all") == Loss(over="all")


def test_a_mixture_overrides_what_it_inherits() -> None:
    mixtures = {
        "all": {**ALL, "without": ["facts"], "longer": "drop"},
        "few": {"like": "all", "rows": 5},
        "other": {"like": "few", "sources": [{"file": "rows.jsonl"}], "longer": "refuse"},
    }
    tuning = Tuning.model_validate({"mixtures": mixtures})
    few, other = tuning.mixture("few"), tuning.mixture("other")
    assert (few.rows, few.tokens, few.cap, few.without) == (5, None, 7, ["facts"])
    assert (other.rows, other.longer, other.sources[0].file) == (5, "refuse", "rows.jsonl")
    assert other.like is None


@pytest.mark.parametrize(
    ("axis", "known", "unknown"),
    [
        ("mixture", "a", "b"),
        ("loss", "mine", "yours"),
        ("loss", "output_diluted", "weighted"),
        ("indicator", "none", "i"),
        ("indicator", "j", "i"),
        ("optimiser", "default", "none"),
        ("optimiser", "o", "none"),
        ("adapter", "none", "default"),
        ("adapter", "d", "default"),
    ],
)
def test_grids_name_what_there_is(axis: str, known: str, unknown: str) -> None:
    def tuning(name: str) -> dict[str, Any]:
        grid = {"name": "r", "bases": [{"source": "zoo"}], "mixture": "a", axis: ["a", name][1:]}
        return {
            "mixtures": {"a": ALL},
            "losses": {"mine": {}},
            "indicators": {"j": {"seed_model": "m"}},
            "optimisers": {"o": {}},
            "adapters": {"d": {}},
            "recipes": [{**grid, "name": "first", axis: [known]}, grid],
        }

    Tuning.model_validate(tuning(known))
    with pytest.raises(ValidationError, match=rf"recipes\[1\]\.{axis}: .*found '{unknown}'"):
        Tuning.model_validate(tuning(unknown))


def test_a_loss_of_the_file_comes_before_one_of_that_name() -> None:
    tuning = Tuning.model_validate({"losses": {"all": {"over": "all", "kl": 0.5}}})
    assert tuning.loss("all").kl == 0.5
    assert tuning.loss("output").kl == 0


@pytest.mark.parametrize(
    ("loss", "valid"),
    [
        ({"over": "weighted", "instruction_weight": 0.1}, True),
        ({"over": "all", "instruction_weight": 0.1}, False),
        ({"kl": 0.1, "kl_as_released": True}, True),
        ({"kl": 0.1}, True),
    ],
)
def test_combinations_of_a_loss(loss: dict[str, Any], valid: bool) -> None:
    if valid:
        Loss(**loss)
    else:
        with pytest.raises(ValidationError, match="instruction_weight: required with"):
            Loss(**loss)


GRID: dict[str, Any] = {"name": "r", "bases": [{"source": "zoo"}], "mixture": "a"}


def test_bases_are_chosen_or_listed() -> None:
    listed = {"base": "org/model", "family": "f", "params_b": 1}
    bases = [{"source": "zoo", "max_params_b": math.inf}, listed]
    tuning = Tuning(mixtures={"a": ALL}, recipes=[{**GRID, "bases": bases}])  # type: ignore[dict-item, list-item]
    chosen, base = tuning.recipes[0].bases
    assert isinstance(chosen, ChosenBases)
    assert isinstance(base, Base)
    for wrong, location in (({**listed, "maker": "m"}, "maker"), ({"source": "hub"}, "source")):
        with pytest.raises(ValidationError) as error:
            Tuning.model_validate({"mixtures": {"a": ALL}, "recipes": [{**GRID, "bases": [wrong]}]})
        (fault,) = error.value.errors()
        assert fault["loc"][-1] == location


@pytest.mark.parametrize(("seed", "valid"), [(0, True), (2**32 - 1, True), (2**32, False)])
def test_seeds_are_those_of_random_generators(seed: int, valid: bool) -> None:
    section = {"mixtures": {"a": ALL}, "recipes": [{**GRID, "seed": [seed]}]}
    if valid:
        assert Tuning.model_validate(section).recipes[0].seed == [seed]
    else:
        with pytest.raises(ValidationError):
            Tuning.model_validate(section)
