"""Expands the recipe grids of a study file into single recipes.

In: `Tuning` and one of its grids. Out: `Recipe`, one per tuned model and base, with the content of
everything that the grid refers to by name. `Recipe.identity` holds all that decides the tuned
weights; names are not part of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from study.config.arms import TemplateArguments
from study.config.tuning.methods import Adapter, Indicator, Loss, Optimiser
from study.config.tuning.mixtures import Format, Mixture
from study.config.tuning.recipes import RecipeGrid, Tuning

AXES = ("mixture", "format", "loss", "indicator", "optimiser", "adapter", "seed")
"The lists of a grid, in the order in which they are expanded; the last one varies fastest."
VERSION = 1
"Version of the tuning code; it changes when the same recipe would give other weights."
EXECUTION_KEYS = ("checkpoint_steps", "tokens_at_once", "gradient_checkpointing")
"Keys of the optimiser that decide how a training is computed and not what it computes."


@dataclass(frozen=True)
class Recipe:
    """How a base model becomes a tuned model."""

    name: str
    "Name of the grid, followed by the value on every axis on which the grid has several."
    grid: str
    "Name of the grid."
    values: dict[str, Any]
    "Value on every axis, as named in the study file."
    mixture_name: str
    mixture: Mixture
    format: Format
    loss: Loss
    indicator: Indicator | None
    optimiser: Optimiser
    adapter: Adapter | None
    seed: int
    template: str
    "The chat template: `tokenizer` for the tokenizer's own, a known name, or Jinja."
    template_arguments: TemplateArguments
    "Arguments of the chat template, in training and in evaluation."

    @property
    def writes(self) -> bool:
        """Whether the tuned model writes demonstrations before it answers."""
        return self.format.startswith("samplegen")

    @property
    def marker_token(self) -> str | None:
        """The indicator's marker if it is a token of its own, else None."""
        if self.indicator is None or self.indicator.marked != "token":
            return None
        return self.indicator.marker

    @property
    def mixture_key(self) -> str:
        """The key of the mixture in the study file, for errors."""
        return f"tuning.mixtures.{self.mixture_name}"

    def identity(self) -> dict[str, Any]:
        """Everything that decides the weights, except the base model, the rows themselves and what
        the chat template is rendered from."""
        optimiser = self.optimiser.model_dump(mode="json")
        for key in EXECUTION_KEYS:
            del optimiser[key]
        return {
            "version": VERSION,
            "mixture": self.mixture.model_dump(mode="json"),
            "format": self.format,
            "loss": self.loss.model_dump(mode="json"),
            "indicator": self.indicator and self.indicator.model_dump(mode="json"),
            "optimiser": optimiser,
            "adapter": self.adapter and self.adapter.model_dump(mode="json"),
            "seed": self.seed,
            "template": self.template,
        }


def recipes(tuning: Tuning, grid: RecipeGrid) -> Iterator[Recipe]:
    """All recipes of a grid, in the order of its lists."""
    varied = [axis for axis in AXES if len(getattr(grid, axis)) > 1]
    for combination in itertools.product(*(getattr(grid, axis) for axis in AXES)):
        values = dict(zip(AXES, combination, strict=True))
        labels = [f"s{values[axis]}" if axis == "seed" else str(values[axis]) for axis in varied]
        yield Recipe(
            name="-".join([grid.name, *labels]),
            grid=grid.name,
            values=values,
            mixture_name=values["mixture"],
            mixture=tuning.mixture(values["mixture"]),
            format=values["format"],
            loss=tuning.loss(values["loss"]),
            indicator=tuning.indicators.get(values["indicator"]),
            optimiser=tuning.optimisers.get(values["optimiser"], Optimiser()),
            adapter=tuning.adapters.get(values["adapter"]),
            seed=values["seed"],
            template=grid.template,
            template_arguments=grid.template_arguments,
        )
