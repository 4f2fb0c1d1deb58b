"""What the section `tuning` accepts: names, and mixtures that inherit from others."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from study.config.tuning.methods import Loss
from study.config.tuning.recipes import Tuning

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
