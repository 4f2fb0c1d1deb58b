"""Entries of `pairs` in study.yaml: pairs listed in full, or selected from a source.

In: parts of the study file. Out: frozen models of them; `study.models.pairs` looks them up.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from study.config.arms import TemplateArguments
from study.validation import PairName, Strict, either_mapping

MAX_PARAMS_B = 100_000
"Largest parameter count that a study file may state, in billions."


class ListedPair(Strict):
    """A pair given in full."""

    base: str
    "Folder or hub name of the base model."
    tuned: str
    "Folder or hub name of the tuned model."
    family: str
    "Model family; confidence intervals are clustered by it."
    params_b: float = Field(gt=0, le=MAX_PARAMS_B)
    "Parameter count in billions."
    name: PairName | None = None
    "Name of the pair in tables; by default that of the tuned model."
    base_revision: str | None = None
    "Branch, tag or commit of the base model on the hub."
    tuned_revision: str | None = None
    "Branch, tag or commit of the tuned model on the hub."
    template_arguments: TemplateArguments = Field(default_factory=dict)
    "Arguments of the tuned model's chat template, such as `enable_thinking: false`."


class SelectedPairs(Strict):
    """Pairs selected from the registry of real models or from the zoo."""

    source: Literal["registry", "zoo"]
    "Where to select from."
    family: list[str] | None = None
    "Only these families."
    maker: list[str] | None = None
    "Only these makers."
    pair: list[str] | None = None
    "Only these pairs."
    min_params_b: float = Field(default=0, ge=0, le=MAX_PARAMS_B)
    "Smallest parameter count, in billions."
    max_params_b: float = Field(default=float("inf"), gt=0, allow_inf_nan=True)
    "Largest parameter count, in billions."
    template_arguments: TemplateArguments = Field(default_factory=dict)
    "Arguments of the tuned models' chat templates, such as `enable_thinking: false`."


PairEntry = Annotated[
    Annotated[SelectedPairs, Tag("<selected>")] | Annotated[ListedPair, Tag("<listed>")],
    either_mapping("<selected>", "<listed>", key="source"),
]
