"""Recipes in study.yaml: grids of them, and the named entries that they refer to.

In: the section `tuning`. Out: frozen models of it. `study.config.tuning.grids` expands the grids
into single recipes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag, model_validator

from study.config.arms import TemplateArguments
from study.config.pairs import MAX_PARAMS_B
from study.config.tuning.methods import PLAIN_LOSSES, Adapter, Indicator, Loss, Optimiser
from study.config.tuning.mixtures import Format, Mixture
from study.errors import listed, nearest
from study.validation import MAX_SEED, Name, PairName, Strict, either_mapping

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Base(Strict):
    """A base model listed in full."""

    base: str
    "Folder or hub name."
    family: str
    params_b: float = Field(gt=0, le=MAX_PARAMS_B)
    "Parameter count in billions."
    name: PairName | None = None
    "Name in tables; by default the last part of `base`."
    revision: str | None = None
    "Branch, tag or commit on the hub."


class ChosenBases(Strict):
    """The bases of pairs of the registry or the zoo."""

    source: Literal["registry", "zoo"]
    family: list[str] | None = None
    pair: list[str] | None = None
    "Only the bases of these pairs."
    min_params_b: float = Field(default=0, ge=0, le=MAX_PARAMS_B)
    max_params_b: float = Field(default=float("inf"), gt=0, allow_inf_nan=True)


BaseEntry = Annotated[
    Annotated[ChosenBases, Tag("<selected>")] | Annotated[Base, Tag("<listed>")],
    either_mapping("<selected>", "<listed>", key="source"),
]


class RecipeGrid(Strict):
    """Recipes: every base with every combination of the lists."""

    multiline = frozenset({"template"})

    name: Name
    bases: list[BaseEntry] = Field(min_length=1)
    mixture: Annotated[list[str], BeforeValidator(_as_list)] = Field(min_length=1)
    format: Annotated[list[Format], BeforeValidator(_as_list)] = Field(
        default=["flan"], min_length=1
    )
    "How a document becomes a conversation."
    loss: Annotated[list[str], BeforeValidator(_as_list)] = Field(default=["output"], min_length=1)
    indicator: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        default=["none"], min_length=1
    )
    optimiser: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        default=["default"], min_length=1
    )
    adapter: Annotated[list[str], BeforeValidator(_as_list)] = Field(default=["none"], min_length=1)
    "`none` is full fine-tuning."
    seed: Annotated[list[Seed], BeforeValidator(_as_list)] = Field(default=[0], min_length=1)
    template: str = "tokenizer"
    "The chat template: the tokenizer's own, `tulu`, `llama2`, `chatml`, or one in Jinja."
    template_arguments: TemplateArguments = Field(default_factory=dict)
    "Arguments of the chat template, in training and in evaluation."


class Tuning(Strict):
    """Everything that a study tunes."""

    mixtures: dict[Name, Mixture] = Field(default_factory=dict)
    losses: dict[Name, Loss] = Field(default_factory=dict)
    "In addition to `output`, `instruction_and_output`, `all` and `output_diluted`."
    indicators: dict[Name, Indicator] = Field(default_factory=dict)
    optimisers: dict[Name, Optimiser] = Field(default_factory=dict)
    adapters: dict[Name, Adapter] = Field(default_factory=dict)
    recipes: list[RecipeGrid] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check_names(self) -> Tuning:
        known = {
            "mixture": list(self.mixtures),
            "loss": [*PLAIN_LOSSES, *self.losses],
            "indicator": ["none", *self.indicators],
            "optimiser": ["default", *self.optimisers],
            "adapter": ["none", *self.adapters],
        }
        for i, grid in enumerate(self.recipes):
            for key, names in known.items():
                for name in getattr(grid, key):
                    if name not in names:
                        raise ValueError(
                            f"recipes[{i}].{key}: one of {listed(names)}, found {name!r}. "
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
        """A mixture by name, with what it inherits through `like`; ValueError if it is circular or
        incomplete."""
        current, visited = self.mixtures[name], {name}
        values = {key: getattr(current, key) for key in current.model_fields_set - {"like"}}
        while current.like is not None:
            if current.like in visited:
                raise ValueError(f"mixtures.{name}.like: another mixture, found a circle")
            visited.add(current.like)
            current = self.mixtures[current.like]
            inherited = {key: getattr(current, key) for key in current.model_fields_set - {"like"}}
            if {"rows", "tokens"} & values.keys():  # one of the two: the nearest mixture decides
                inherited = {
                    key: value for key, value in inherited.items() if key not in ("rows", "tokens")
                }
            values = {**inherited, **values}
        mixture = Mixture(**values)
        if not mixture.sources:
            raise ValueError(f"mixtures.{name}.sources: at least one, found none")
        if (mixture.rows is None) == (mixture.tokens is None):
            raise ValueError(f"mixtures.{name}: either rows or tokens")
        return mixture

    def loss(self, name: str) -> Loss:
        """The loss with this name."""
        return self.losses.get(name) or PLAIN_LOSSES[name]
