"""The tables of an analysis, one module each: scores in, data frames out.

`TABLES` is the registry that the pipeline walks, in order. To add a table, write its module and add
one entry; a later entry may use the tables of earlier ones as inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.data.inputs import Inputs, needs
from analysis.tables.agreement import item_agreement
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.exposures import exposures
from analysis.tables.intervals import further_intervals
from analysis.tables.reliability import reliabilities
from analysis.tables.robustness.checks import robustness
from analysis.tables.summaries import summaries
from analysis.tables.tuning.recipe_gains import recipe_gains
from analysis.tables.tuning.self_written import self_written
from analysis.tables.tuning.tuned_models import tuned_models
from analysis.tables.tuning.turn_scores import turn_scores


def always(inputs: Inputs) -> bool:
    """Apply to every study."""
    return True


def tunes(inputs: Inputs) -> bool:
    """Apply to studies that tune models."""
    return bool(inputs.run.study.tuning.recipes)


def compares_recipes(inputs: Inputs) -> bool:
    """Apply to studies that tune models and compare their recipes."""
    return tunes(inputs) and bool(inputs.run.study.analysis.recipes)


@dataclass(frozen=True)
class TableEntry:
    """A table in the registry."""

    name: str
    "Name of the CSV file, without its suffix."
    function: Callable[..., pd.DataFrame]
    inputs: Mapping[str, str]
    "By parameter of the function, the name of an input (see `analysis.data.inputs`)."
    applies: Callable[[Inputs], bool] = always
    "Whether the table is computed."
    write_empty: bool = True
    "Whether the file is written if the table has no rows."


TABLES: tuple[TableEntry, ...] = (
    TableEntry("correlations", correlations, needs("scores", "contrasts", "items", "multiplicity")),
    TableEntry("robustness", robustness, needs("scores", "contrasts", bound="equivalence_bound")),
    TableEntry("agreement", item_agreement, needs("scores", "contrasts", "items")),
    TableEntry("summaries", summaries, needs("scores", "contrasts")),
    TableEntry("exposures", exposures, needs("scores", "contrasts")),
    TableEntry("cell_model", cell_models, needs("scores", "contrasts", "items")),
    TableEntry("reliability", reliabilities, needs("items")),
    TableEntry("tuning", tuned_models, needs("run"), applies=tunes),
    TableEntry("written", self_written, needs("run"), applies=tunes, write_empty=False),
    TableEntry("turn_scores", turn_scores, needs("run"), applies=tunes, write_empty=False),
    TableEntry(
        "recipe_gains",
        recipe_gains,
        needs("scores", "tuning", "comparisons"),
        applies=compares_recipes,
    ),
    TableEntry(
        "intervals",
        further_intervals,
        needs("scores", "contrasts", kinds="further_intervals"),
        applies=lambda inputs: bool(inputs.further_intervals),
    ),
)
