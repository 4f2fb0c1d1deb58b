"""What a study file says of tuning: grids of recipes, and the named things they are made of.

In: the entry `tuning` of `study.yaml`. Out: frozen models of it. `grid.py` makes single recipes of
them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from study.config.analysis import Name
from study.config.tuning.methods import PLAIN_LOSSES, Adapter, Indicator, Loss, Optimiser
from study.config.tuning.mixtures import Format, Mixture
from study.errors import listed, nearest
from study.validation import Strict


def _many(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Base(Strict):
    """A base model given in full."""

    base: str
    "Folder or hub name."
    family: str
    params_b: float = Field(gt=0)
    "Parameters, 10⁹."
    name: str | None = None
    "What it is called in tables; by default the last part of `base`."
    revision: str | None = None


class ChosenBases(Strict):
    """Bases of the zoo's or the registry's pairs."""

    source: Literal["registry", "zoo"]
    family: list[str] | None = None
    pair: list[str] | None = None
    "Only the bases of these pairs."
    min_params_b: float = Field(default=0, ge=0)
    max_params_b: float = Field(default=float("inf"), gt=0)


class RecipeGrid(Strict):
    """Recipes: every base with every value of every list."""

    name: Name
    bases: list[ChosenBases | Base] = Field(min_length=1)
    mixture: Annotated[list[str], BeforeValidator(_many)] = Field(min_length=1)
    format: Annotated[list[Format], BeforeValidator(_many)] = Field(default=["flan"])
    "How a document is put before the model."
    loss: Annotated[list[str], BeforeValidator(_many)] = Field(default=["output"])
    indicator: Annotated[list[str], BeforeValidator(_many)] = Field(default=["none"])
    optimiser: Annotated[list[str], BeforeValidator(_many)] = Field(default=["default"])
    adapter: Annotated[list[str], BeforeValidator(_many)] = Field(default=["none"])
    "`none` is full fine-tuning."
    seed: Annotated[list[int], BeforeValidator(_many)] = Field(default=[0])
    template: str = "tokenizer"
    "The chat template: the tokenizer's own, `tulu`, `llama2`, `chatml`, or one in Jinja."


class Tuning(Strict):
    """Everything that a study tunes."""

    mixtures: dict[str, Mixture] = Field(default_factory=dict)
    losses: dict[str, Loss] = Field(default_factory=dict)
    "Beside `output`, `instruction_and_output`, `all` and `output_diluted`."
    indicators: dict[str, Indicator] = Field(default_factory=dict)
    optimisers: dict[str, Optimiser] = Field(default_factory=dict)
    adapters: dict[str, Adapter] = Field(default_factory=dict)
    recipes: list[RecipeGrid] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_known(self) -> Tuning:
        known = {
            "mixture": list(self.mixtures),
            "loss": [*PLAIN_LOSSES, *self.losses],
            "indicator": ["none", *self.indicators],
            "optimiser": ["default", *self.optimisers],
            "adapter": ["none", *self.adapters],
        }
        for i, grid in enumerate(self.recipes):
            for part, names in known.items():
                for name in getattr(grid, part):
                    if name not in names:
                        raise ValueError(
                            f"recipes[{i}].{part}: one of {listed(names)}, found {name!r}. "
                            f"{nearest(name, names)}".strip()
                        )
        for name, mixture in self.mixtures.items():
            if mixture.like is not None and mixture.like not in self.mixtures:
                raise ValueError(
                    f"mixtures.{name}.like: one of {listed(self.mixtures)}, found {mixture.like!r}"
                )
            self.mixture(name)
        return self

    def mixture(self, name: str) -> Mixture:
        """The mixture of that name, with what it takes from the one that it is like."""
        own, seen = self.mixtures[name], {name}
        given = {key: getattr(own, key) for key in own.model_fields_set - {"like"}}
        while own.like is not None:
            if own.like in seen:
                raise ValueError(f"mixtures.{name}.like: another mixture, found a circle")
            seen.add(own.like)
            own = self.mixtures[own.like]
            taken = {key: getattr(own, key) for key in own.model_fields_set - {"like"}}
            if {"rows", "tokens"} & given.keys():  # one of the two, whichever was given last
                taken = {key: v for key, v in taken.items() if key not in ("rows", "tokens")}
            given = {**taken, **given}
        whole = Mixture(**given)
        if not whole.sources:
            raise ValueError(f"mixtures.{name}.sources: one at least, found none")
        if (whole.rows is None) == (whole.tokens is None):
            raise ValueError(f"mixtures.{name}: either rows or tokens")
        return whole

    def loss(self, name: str) -> Loss:
        """The loss of that name."""
        return self.losses.get(name) or PLAIN_LOSSES[name]
