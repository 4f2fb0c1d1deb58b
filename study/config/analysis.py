"""The keys `contrasts` and `analysis` of study.yaml: what is fixed before results are seen.

In: parts of the study file. Out: frozen models of them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from study.validation import Name, Strict


class Contrast(Strict):
    """Two arms whose scores are correlated across pairs."""

    name: Name
    "Name of the contrast in tables."
    x: str
    "The arm on the horizontal axis, usually the base model with demonstrations."
    y: str
    "The arm on the vertical axis, usually the tuned model without demonstrations."


Adjustment = Literal["holm", "hommel", "bonferroni", "bh", "by", "none"]


class Multiplicity(Strict):
    """Adjustment of p-values for multiple tests within a contrast."""

    type: Adjustment = "holm"
    "Over task types."
    task: Adjustment = "bh"
    "Over tasks."


class Comparison(Strict):
    """A comparison of recipes that differ along one axis."""

    axis: Literal["mixture", "format", "loss", "indicator", "optimiser", "adapter"]
    "The axis along which recipes differ."
    baseline: str
    "The value that all others are compared with."


class AnalysisChoices(Strict):
    """Choices of the analysis."""

    multiplicity: Multiplicity = Field(default_factory=Multiplicity)
    "Adjustment of p-values over types and tasks."
    recipes: list[Comparison] = Field(default_factory=list)
    "Comparisons between recipes, in `tables/recipe_gains.csv`."
    beside: list[Literal["bca", "fisher"]] = Field(default_factory=list)
    "Further confidence intervals, in `tables/intervals.csv`."
    equivalence_bound: float = Field(default=0.3, gt=0, lt=1)
    "Largest |r| that counts as equivalent to zero (TOST)."
