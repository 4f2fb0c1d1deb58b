"""How a correlation fares as its alternatives are taken away: a slope graph.

`controls_data` gives what is drawn, from `tables/robustness.csv`; `controls` draws it.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, MARKERS, figure, in_style

STEPS = ("as measured", "given size", "within families")


def controls_data(robustness: pd.DataFrame) -> pd.DataFrame:
    """`contrast, check, estimate, low, high, place`, checks from left to right."""
    shown = robustness[robustness["check"].isin(STEPS)].copy()
    shown["place"] = shown["check"].map({check: i for i, check in enumerate(STEPS)})
    columns = ["contrast", "check", "estimate", "low", "high", "place"]
    return shown.sort_values(["contrast", "place"], kind="stable")[columns].reset_index(drop=True)


@in_style
def controls(robustness: pd.DataFrame, *, width_mm: float = COLUMN_MM) -> Figure:
    """Draws a line for every contrast, with 95 % intervals over families."""
    data = controls_data(robustness)
    drawn, (axis,) = figure(width_mm, 60.0)
    axis.axhline(0, color=GREY, linewidth=0.6)
    names = list(dict.fromkeys(data["contrast"]))
    for i, (contrast, rows) in enumerate(data.groupby("contrast", sort=False)):
        # Side by side, so that intervals do not cover each other.
        place = rows["place"] + 0.08 * (i - (len(names) - 1) / 2)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axis.vlines(place, rows["low"], rows["high"], color=colour, linewidth=0.8)
        axis.plot(place, rows["estimate"], color=colour, marker=marker, markersize=4,
                  label=str(contrast))  # fmt: skip
    axis.set_xticks(range(len(STEPS)), STEPS)
    axis.set_ylim(min(-0.2, float(data["low"].min(skipna=True)) - 0.05), 1.02)
    axis.set_ylabel("r across pairs, all tasks")
    drawn.legend(loc="outside upper center", ncols=3)
    return drawn
