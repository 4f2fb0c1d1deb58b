"""The correlation without each family in turn.

`left_out_data` gives what is drawn, from `tables/robustness.csv`; `left_out` draws it.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, figure, in_style
from analysis.tables.robustness.leave_one_out import FAMILY


def left_out_data(robustness: pd.DataFrame, *, contrast: str) -> pd.DataFrame:
    """`family, estimate, low, high`, from the lowest estimate to the highest."""
    own = robustness[robustness["contrast"] == contrast]
    out = own["check"].str.startswith(FAMILY)
    shown = own[out].assign(family=own.loc[out, "check"].str.removeprefix(FAMILY))
    columns = ["family", "estimate", "low", "high"]
    return shown.sort_values("estimate")[columns].reset_index(drop=True)


@in_style
def left_out(robustness: pd.DataFrame, *, contrast: str, width_mm: float = COLUMN_MM) -> Figure:
    """Draws a row for every family left out, and the correlation with all as a line."""
    data = left_out_data(robustness, contrast=contrast)
    own = robustness[robustness["contrast"] == contrast]
    whole = float(own.loc[own["check"] == "as measured", "estimate"].iloc[0])
    drawn, (axis,) = figure(width_mm, 18.0 + 3.2 * len(data))
    axis.axvline(whole, color=GREY, linewidth=0.6)
    place = range(len(data))
    axis.hlines(place, data["low"], data["high"], color=COLOURS[0], linewidth=0.8)
    axis.scatter(data["estimate"], place, color=COLOURS[0], s=10, zorder=3)
    axis.set_yticks(place, data["family"])
    axis.set_xlabel(f"r without the family ({contrast}); with all {whole:.2f}")
    return drawn
