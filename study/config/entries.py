"""Entries of a study file: pairs, tasks and arms, each in one of its forms.

In: parts of `study.yaml`. Out: frozen models of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from study.config.analysis import ArmName
from study.results.schema import Exposure
from study.validation import Strict


class ListedPair(Strict):
    """A pair given in full."""

    base: str
    "Folder or hub name of the base model."
    tuned: str
    "Folder or hub name of the tuned model."
    family: str
    "The family, the unit over which intervals are taken."
    params_b: float = Field(gt=0)
    "Parameters, 10⁹."
    name: str | None = None
    "Name of the pair in tables; by default the tuned model's."
    base_revision: str | None = None
    "Branch, tag or commit of the base model on the hub."
    tuned_revision: str | None = None
    "Branch, tag or commit of the tuned model on the hub."


class SelectedPairs(Strict):
    """Pairs picked from the registry of real models, or from the zoo."""

    source: Literal["registry", "zoo"]
    "Where the pairs are picked from."
    family: list[str] | None = None
    "Only these families."
    maker: list[str] | None = None
    "Only these makers."
    pair: list[str] | None = None
    "Only these pairs."
    min_params_b: float = Field(default=0, ge=0)
    "Smallest model, 10⁹ parameters."
    max_params_b: float = Field(default=float("inf"), gt=0)
    "Largest model, 10⁹ parameters."


class ListedTask(Strict):
    """One lm-eval task with what the study must know of it."""

    task: str
    "Its name in lm-eval."
    task_type: str
    "The type by which results are reported."
    metric: str
    "The metric, as lm-eval names it; with a filter as `metric,filter`."
    chance: float = Field(ge=0, lt=1)
    "The score of answering at random."
    scale: float = Field(default=1.0, gt=0)
    "What the metric is multiplied by to be a fraction; 0.01 for one in percent."
    max_shots: int | None = Field(default=None, ge=0)
    "Most demonstrations that the task can take; none given: any number."
    exposure: Exposure = ""
    "What the tuning mixture showed of it, where known."
    passage: str | None = None
    "The documents' field that several items share, a text that they all ask about."
    fields: dict[str, str] = Field(default_factory=dict)
    "Name and Jinja text of the fields that prompts show field by field; else the document's own."
    options: str | None = None
    "The documents' field that lists the options, where the task's file names none."
    items: int | None = Field(default=None, gt=0)
    "Number of items, used in estimates while the data is not at hand."
    tokens: int | None = Field(default=None, gt=0)
    "Tokens of one item, used likewise."


class SuiteTasks(Strict):
    """The tasks of a suite, or some of them."""

    suite: str
    "The suite's name, or a YAML file of the same form."
    only: list[str] | None = None
    "Only these tasks."
    task_type: list[str] | None = None
    "Only tasks of these types."


class ArmDraws(Strict):
    """An arm with a number of draws of its own."""

    name: ArmName
    draws: int = Field(ge=1, le=100)
    "Demonstration draws of this arm."


def _which(mapping: str, otherwise: str, key: str | None = None) -> Discriminator:
    """Tells the two forms of an entry apart: a mapping (that has `key`), or anything else."""

    def tell(value: Any) -> str:
        if key is None:
            return mapping if isinstance(value, dict | Strict) else otherwise
        has = key in value if isinstance(value, dict) else hasattr(value, key)
        return mapping if has else otherwise

    return Discriminator(tell)


PairEntry = Annotated[
    Annotated[SelectedPairs, Tag("<selected>")] | Annotated[ListedPair, Tag("<listed>")],
    _which("<selected>", "<listed>", key="source"),
]
ArmEntry = Annotated[
    Annotated[ArmDraws, Tag("<draws>")] | Annotated[ArmName, Tag("<name>")],
    _which("<draws>", "<name>"),
]
TaskEntries = Annotated[
    Annotated[SuiteTasks, Tag("<suite>")] | Annotated[list[ListedTask], Tag("<list>")],
    _which("<suite>", "<list>"),
]
