"""What a study fixes about its analysis before looking, as it stands in `study.yaml`.

In: the entries `contrasts` and `analysis`. Out: frozen models of them, and the types of names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from study.config.arms import parse_arm
from study.validation import Strict


def _arm_name(name: str) -> str:
    parse_arm(name)
    return name


ArmName = Annotated[str, AfterValidator(_arm_name)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]


class Contrast(Strict):
    """Two arms whose scores are correlated over pairs."""

    name: Name
    x: ArmName
    "The arm on the horizontal axis, usually the base with demonstrations."
    y: ArmName
    "The arm on the vertical axis, usually the tuned model without."


Adjustment = Literal["holm", "hommel", "bonferroni", "bh", "by", "none"]


class Multiplicity(Strict):
    """How p is adjusted over the tests of a contrast; fixed before looking."""

    type: Adjustment = "holm"
    "Over task types."
    task: Adjustment = "bh"
    "Over tasks."


class Comparison(Strict):
    """Recipes that are compared, in which one axis differs."""

    axis: Literal["mixture", "format", "loss", "indicator", "optimiser", "adapter"]
    "What differs."
    baseline: str
    "The value that all others are set against."


class AnalysisChoices(Strict):
    """What the analysis leaves to the study."""

    multiplicity: Multiplicity = Field(default_factory=Multiplicity)
    "How p is adjusted over types and tasks."
    recipes: list[Comparison] = Field(default_factory=list)
    "What is compared between recipes, in `tables/recipe_gains.csv`."
    beside: list[Literal["bca", "fisher"]] = Field(default_factory=list)
    "Further intervals, beside the family jackknife's, in `tables/intervals.csv`."
    equivalence_bound: float = Field(default=0.3, gt=0, lt=1)
    "A correlation below it is none to speak of; fixed before looking."
