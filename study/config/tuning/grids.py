"""From the grids of a study file to single recipes.

In: `Tuning`, and the bases that a study's folder leads to. Out: `Recipe`, one per tuned model, each
with the names of what it was made of. Whatever decides the tuned weights stands in
`Recipe.identity`; names do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.tuning.methods import Adapter, Indicator, Loss, Optimiser
from study.config.tuning.mixtures import Format, Mixture
from study.config.tuning.recipes import RecipeGrid, Tuning

AXES = ("mixture", "format", "loss", "indicator", "optimiser", "adapter", "seed")
VERSION = 1
"Of how a recipe is carried out: it changes when the same recipe would give other weights."


@dataclass(frozen=True)
class Recipe:
    """How a base becomes a tuned model."""

    name: str
    "The grid's, and the value on every axis on which the grid has more than one."
    grid: str
    values: dict[str, Any]
    "Its value on every axis, by name."
    mixture_name: str
    mixture: Mixture
    format: Format
    loss: Loss
    indicator: Indicator | None
    optimiser: Optimiser
    adapter: Adapter | None
    seed: int
    template: str
    study_file: Path
    "Where it stands; files that it names are beside it."

    @property
    def writes(self) -> bool:
        """Whether the tuned model writes demonstrations before it answers."""
        return self.format.startswith("samplegen")

    @property
    def marker_token(self) -> str | None:
        """The indicator's marker where it is a token of its own."""
        if self.indicator is None or self.indicator.marked != "token":
            return None
        return self.indicator.marker

    def identity(self) -> dict[str, Any]:
        """All that decides the weights, but for the base and the data's own content."""
        optimiser = self.optimiser.model_dump(mode="json")
        for key in ("checkpoint_steps", "tokens_at_once", "gradient_checkpointing"):
            del optimiser[key]  # they decide when and how it is computed, not what
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


def recipes(tuning: Tuning, grid: RecipeGrid, study_file: Path) -> Iterator[Recipe]:
    """Every recipe of a grid, in the order of its lists."""
    varied = [axis for axis in AXES if len(getattr(grid, axis)) > 1]
    for values in itertools.product(*(getattr(grid, axis) for axis in AXES)):
        at = dict(zip(AXES, values, strict=True))
        marks = [f"s{at[axis]}" if axis == "seed" else str(at[axis]) for axis in varied]
        yield Recipe(
            name="-".join([grid.name, *marks]),
            grid=grid.name,
            values=at,
            mixture_name=at["mixture"],
            mixture=tuning.mixture(at["mixture"]),
            format=at["format"],
            loss=tuning.loss(at["loss"]),
            indicator=tuning.indicators.get(at["indicator"]),
            optimiser=tuning.optimisers.get(at["optimiser"], Optimiser()),
            adapter=tuning.adapters.get(at["adapter"]),
            seed=at["seed"],
            template=grid.template,
            study_file=study_file,
        )
