"""The inputs of the tables and figures, by name.

In: a run with its scores, and the tables computed so far. Out: `Inputs`. An entry of the registries
(analysis/tables, analysis/figures) declares the inputs of its function by these names, with
`needs`, and the pipeline passes them on. A name is a property of `Inputs` or a table's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from analysis.data.items import ItemScores
from analysis.data.loss_curves import loss_curves
from study.config.analysis import Comparison, Contrast, Multiplicity
from study.errors import listed
from study.results.run import Run


@dataclass(frozen=True)
class Inputs:
    """Everything that a table or a figure may be computed from."""

    run: Run
    scores: pd.DataFrame
    "One row per (pair, role, arm, task, draw)."
    items: ItemScores
    contrasts: Sequence[Contrast]
    "The contrasts of which both arms have scores, at least one."
    contrast: Contrast
    "The contrast of a figure: the first one, or each in turn."
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    "Tables computed so far, by name."

    def for_contrast(self, contrast: Contrast) -> Inputs:
        """The same inputs with another contrast."""
        return replace(self, contrast=contrast)

    def has_rows(self, table: str) -> bool:
        """Whether a table has been computed and is not empty."""
        return table in self.tables and len(self.tables[table]) > 0

    def arguments(self, needs: Mapping[str, str]) -> dict[str, Any]:
        """The arguments of a function that declares its inputs (see `needs`)."""
        return {parameter: self._value(name) for parameter, name in needs.items()}

    def _value(self, name: str) -> Any:
        return self.tables[name] if name in self.tables else getattr(self, name)

    @property
    def arms(self) -> list[str]:
        """The arms that have scores, in the order of the scores."""
        return list(dict.fromkeys(self.scores["arm"]))

    @property
    def x_arm(self) -> str:
        """The contrast's arm on the horizontal axis."""
        return self.contrast.x

    @property
    def y_arm(self) -> str:
        """The contrast's arm on the vertical axis."""
        return self.contrast.y

    @property
    def contrast_name(self) -> str:
        """The contrast's name in the tables."""
        return self.contrast.name

    @property
    def multiplicity(self) -> Multiplicity:
        """How p-values are adjusted for multiple tests."""
        return self.run.study.analysis.multiplicity

    @property
    def equivalence_bound(self) -> float:
        """Largest |r| that counts as equivalent to zero."""
        return self.run.study.analysis.equivalence_bound

    @property
    def further_intervals(self) -> Sequence[Literal["bca", "fisher"]]:
        """Kinds of intervals that the study requests in addition to the default."""
        return self.run.study.analysis.beside

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Training losses of the tuned models."""
        return loss_curves(self.run)

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """Comparisons of recipes; StudyError if a baseline is the value of no tuned model."""
        comparisons = self.run.study.analysis.recipes
        for comparison in comparisons:
            values = sorted(set(self.tables["tuning"][comparison.axis].astype(str)))
            if comparison.baseline not in values:
                raise self.run.study.error(
                    f"analysis.recipes: {comparison.axis}",
                    found=repr(comparison.baseline),
                    expected=f"the value of a tuned model: {listed(values)}",
                )
        return comparisons


def needs(*names: str, **renamed: str) -> dict[str, str]:
    """Declare inputs: the name of an input for each parameter of a function.

    >>> needs("scores", bound="equivalence_bound")
    {'scores': 'scores', 'bound': 'equivalence_bound'}
    """
    return {**{name: name for name in names}, **renamed}
