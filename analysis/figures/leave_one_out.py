"""The overall correlation without each family in turn.

`leave_one_out_data` gives what is drawn, from `tables/robustness.csv`; `leave_one_out` draws it.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, canvas, in_style
from analysis.tables.robustness.leave_one_out import FAMILY


def leave_one_out_data(robustness: pd.DataFrame, *, contrast: str) -> pd.DataFrame:
    """Columns `family, estimate, low, high`, from the lowest estimate to the highest."""
    checks = robustness[robustness["contrast"] == contrast]
    checks = checks[checks["check"].str.startswith(FAMILY)]
    shown = checks.assign(family=checks["check"].str.removeprefix(FAMILY))
    columns = ["family", "estimate", "low", "high"]
    return shown.sort_values("estimate")[columns].reset_index(drop=True)


@in_style
def leave_one_out(
    robustness: pd.DataFrame,
    *,
    contrast: str,
    axes: Axes | None = None,
    width_mm: float = COLUMN_MM,
) -> Figure:
    """Draw a row for each family, and a line at the correlation over all families."""
    data = leave_one_out_data(robustness, contrast=contrast)
    checks = robustness[robustness["contrast"] == contrast]
    overall = float(checks.loc[checks["check"] == "as measured", "estimate"].iloc[0])
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=18.0 + 3.2 * len(data))
    axis = panels[0]
    axis.axvline(overall, color=GREY, linewidth=0.6)
    place = range(len(data))
    axis.hlines(place, data["low"], data["high"], color=COLOURS[0], linewidth=0.8)
    axis.scatter(data["estimate"], place, color=COLOURS[0], s=10, zorder=3)
    axis.set_yticks(place, data["family"])
    axis.set_xlabel(f"r without the family ({contrast}); with all {overall:.2f}")
    return figure
