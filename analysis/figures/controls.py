"""The overall correlation as measured, given model size, and within families, by contrast.

`controls_data` gives what is drawn, from `tables/robustness.csv`; `controls` draws it.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.plot_style import (
    COLOURS,
    COLUMN_MM,
    GREY,
    MARKERS,
    add_legend,
    canvas,
    in_style,
)

STEPS = ("as measured", "given size", "within families")


def controls_data(robustness: pd.DataFrame) -> pd.DataFrame:
    """Columns `contrast, check, estimate, low, high, place`, checks from left to right."""
    shown = robustness[robustness["check"].isin(STEPS)].copy()
    shown["place"] = shown["check"].map({check: i for i, check in enumerate(STEPS)})
    columns = ["contrast", "check", "estimate", "low", "high", "place"]
    return shown.sort_values(["contrast", "place"], kind="stable")[columns].reset_index(drop=True)


@in_style
def controls(
    robustness: pd.DataFrame, *, axes: Axes | None = None, width_mm: float = COLUMN_MM
) -> Figure:
    """Draw a line for each contrast, with 95 % intervals clustered by family."""
    data = controls_data(robustness)
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=60.0)
    axis = panels[0]
    axis.axhline(0, color=GREY, linewidth=0.6)
    names = list(dict.fromkeys(data["contrast"]))
    for i, (contrast, rows) in enumerate(data.groupby("contrast", sort=False)):
        # Shifted sideways, so that intervals do not overlap.
        place = rows["place"] + 0.08 * (i - (len(names) - 1) / 2)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axis.vlines(place, rows["low"], rows["high"], color=colour, linewidth=0.8)
        axis.plot(
            place,
            rows["estimate"],
            color=colour,
            marker=marker,
            markersize=4,
            label=str(contrast),
        )
    axis.set_xticks(range(len(STEPS)), STEPS)
    axis.set_ylim(min(-0.2, float(data["low"].min(skipna=True)) - 0.05), 1.02)
    axis.set_ylabel("r across pairs, all tasks")
    add_legend(figure, panels, axes, loc="outside upper center", ncols=3)
    return figure
