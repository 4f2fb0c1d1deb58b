"""Gains of recipes over a baseline, on three scales.

`gains_data` gives what is drawn, from `tables/recipe_gains.csv`; `gains` draws a panel for each
scale and a row for each value and mixture.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, GREY, PAGE_MM, canvas, in_style
from analysis.tables.tuning.recipe_gains import SCALES

TITLES = {
    "absolute": "gain in score",
    "log_odds": "gain in log-odds",
    "relative": "over the baseline's score",
}


def gains_data(recipe_gains: pd.DataFrame) -> pd.DataFrame:
    """Columns `label, value, arm, scale, estimate, low, high, place`: all tasks, top to bottom."""
    shown = recipe_gains[recipe_gains["task_type"] == ""].copy()
    where = shown["mixture"].where(shown["mixture"] != "", "all mixtures")
    shown["label"] = shown["value"] + ", " + where
    if shown["arm"].nunique() > 1:
        shown["label"] += ", " + shown["arm"]
    labels = list(dict.fromkeys(shown.sort_values(["value", "mixture", "arm"])["label"]))
    shown["place"] = shown["label"].map({label: i for i, label in enumerate(labels)})
    columns = ["label", "value", "arm", "scale", "estimate", "low", "high", "place"]
    return shown.sort_values("place")[columns].reset_index(drop=True)


@in_style
def gains(
    recipe_gains: pd.DataFrame,
    *,
    axes: Sequence[Axes] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draw all gains with their intervals, and a line at no gain."""
    data = gains_data(recipe_gains)
    labels = list(dict.fromkeys(data["label"]))
    height_mm = 24.0 + 2.6 * len(labels)
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=height_mm, columns=len(SCALES))
    colours = {value: COLOURS[i % len(COLOURS)] for i, value in enumerate(data["value"].unique())}
    for axis, scale in zip(panels, SCALES, strict=True):
        rows = data[data["scale"] == scale]
        row_colours = [colours[value] for value in rows["value"]]
        axis.axvline(0, color=GREY, linewidth=0.6)
        axis.hlines(rows["place"], rows["low"], rows["high"], colors=row_colours, linewidth=0.8)
        axis.scatter(rows["estimate"], rows["place"], c=row_colours, s=6, zorder=3)
        axis.set_yticks(range(len(labels)), labels if scale == SCALES[0] else [""] * len(labels))
        axis.invert_yaxis()
        axis.set_xlabel(TITLES[scale])
    return figure
