"""What one choice in a recipe gains over another, on three scales.

`gains_data` gives what is drawn, from `tables/recipe_gains.csv`; `gains` draws it: a panel for each
scale, a row for each value and mixture.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, GREY, PAGE_MM, figure, in_style
from analysis.tables.tuning.recipe_gains import SCALES

TITLES = {"absolute": "score", "log_odds": "log-odds", "relative": "over the baseline's score"}


def gains_data(recipe_gains: pd.DataFrame) -> pd.DataFrame:
    """`label, value, arm, scale, estimate, low, high, place`: all tasks, from top to bottom."""
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
def gains(recipe_gains: pd.DataFrame, *, width_mm: float = PAGE_MM) -> Figure:
    """Draws all gains with their intervals, and a line at none."""
    data = gains_data(recipe_gains)
    labels = list(dict.fromkeys(data["label"]))
    drawn, axes = figure(width_mm, 24.0 + 2.6 * len(labels), columns=len(SCALES))
    values = {value: COLOURS[i % len(COLOURS)] for i, value in enumerate(data["value"].unique())}
    for axis, scale in zip(axes, SCALES, strict=True):
        own = data[data["scale"] == scale]
        colours = [values[value] for value in own["value"]]
        axis.axvline(0, color=GREY, linewidth=0.6)
        axis.hlines(own["place"], own["low"], own["high"], colors=colours, linewidth=0.8)
        axis.scatter(own["estimate"], own["place"], c=colours, s=6, zorder=3)
        axis.set_yticks(range(len(labels)), labels if scale == SCALES[0] else [""] * len(labels))
        axis.invert_yaxis()
        axis.set_xlabel(f"gain in {TITLES[scale]}" if scale != "relative" else TITLES[scale])
    return drawn
