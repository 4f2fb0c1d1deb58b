"""The figures of an analysis, one module each: a pure data half and a drawing half.

`FIGURES` is the registry that the pipeline walks, in order. To add a figure, write its module and
add one entry. A figure function takes data and keywords, draws on `axes` if they are given, so that
panels can be composed, or else on a new figure, and returns the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from analysis.data.inputs import Inputs, needs
from analysis.figures.controls import controls
from analysis.figures.families_apart import families_apart
from analysis.figures.forest import forest
from analysis.figures.gains import gains
from analysis.figures.heat_map import heat_map
from analysis.figures.item_overlap import item_overlap
from analysis.figures.leave_one_out import leave_one_out
from analysis.figures.losses import losses
from analysis.figures.scatter import scatter_by_type
from analysis.figures.shots import shots
from analysis.figures.which_correlation import which_correlation
from study.config.arms import arm_or_none


def always(inputs: Inputs) -> bool:
    """Draw for every study."""
    return True


@dataclass(frozen=True)
class FigureEntry:
    """A figure in the registry."""

    name: str
    "Name of the files, without suffix; of one for each contrast, the first part."
    function: Callable[..., Figure]
    inputs: Mapping[str, str]
    "By parameter of the function, the name of an input (see `analysis.data.inputs`)."
    applies: Callable[[Inputs], bool] = always
    "Whether the figure is drawn."
    each_contrast: bool = False
    "Whether there is one figure for each contrast, instead of one for the first."


FIGURES: tuple[FigureEntry, ...] = (
    FigureEntry(
        "scatter", scatter_by_type, needs("scores", "x_arm", "y_arm", "items"), each_contrast=True
    ),
    FigureEntry("forest", forest, needs("correlations")),
    FigureEntry("heat_map", heat_map, needs("scores", "arms")),
    FigureEntry("controls", controls, needs("robustness")),
    FigureEntry("families_apart", families_apart, needs("scores", "robustness", "contrast")),
    FigureEntry("left_out", leave_one_out, needs("robustness", contrast="contrast_name")),
    FigureEntry(
        "which_correlation", which_correlation, needs("correlations", contrast="contrast_name")
    ),
    FigureEntry(
        "shots",
        shots,
        needs("scores", "contrast"),
        applies=lambda inputs: arm_or_none(inputs.x_arm) is not None,
    ),
    FigureEntry(
        "losses",
        losses,
        needs("curves", "tuning"),
        applies=lambda inputs: "tuning" in inputs.tables,
    ),
    FigureEntry(
        "recipe_gains",
        gains,
        needs("recipe_gains"),
        applies=lambda inputs: "recipe_gains" in inputs.tables,
    ),
    FigureEntry(
        "item_overlap",
        item_overlap,
        needs("agreement", contrast="contrast_name"),
        applies=lambda inputs: inputs.has_rows("agreement"),
    ),
)
