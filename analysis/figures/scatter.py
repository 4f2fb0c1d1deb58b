"""Base in context against tuned: a panel for each task type, a point for each pair.

`scatter_data` gives what is drawn; `scatter_by_type` draws it: points by family, their area by
parameters, bars of one standard error (sampling of items), the line of identity, the latent
regression (the line of y on x without measurement error in either; errors.py), r with its interval
over families.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.data.items import ItemScores
from analysis.data.points import contrast_points, groups
from analysis.figures.plot_style import GREY, PAGE_MM, figure, in_style, looks
from analysis.report import number
from analysis.statistics.correlation.correlate import Correlation, correlate
from analysis.statistics.disattenuation.error_variance import Errors
from analysis.statistics.disattenuation.likelihood import Likelihood

COLUMNS = 3


@dataclass(frozen=True)
class Panel:
    """What is said of a type's points."""

    correlation: Correlation
    line: Likelihood | None
    "None where it cannot be estimated."


def scatter_data(
    scores: pd.DataFrame, *, x_arm: str, y_arm: str, items: ItemScores | None = None
) -> tuple[pd.DataFrame, dict[str, Panel]]:
    """The points at the level of types, and each type's Pearson correlation and latent line; errors
    are those of item scores where there are any, else the standard errors."""
    points = contrast_points(scores, x_arm=x_arm, y_arm=y_arm, level="type")
    found = {}
    for group in groups(scores, x_arm=x_arm, y_arm=y_arm):
        if group.level == "type":
            errors = Errors.of(group, items)
            line = None if errors is None else errors.latent()
            found[group.task_type] = Panel(correlate(group.x, group.y, group.families), line)
    return points, found


@in_style
def scatter_by_type(
    scores: pd.DataFrame,
    *,
    x_arm: str,
    y_arm: str,
    items: ItemScores | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draws a contrast, a panel for each task type."""
    points, found = scatter_data(scores, x_arm=x_arm, y_arm=y_arm, items=items)
    rows = math.ceil((len(found) + 1) / COLUMNS)
    drawn, axes = figure(width_mm, rows * (width_mm / COLUMNS + 4), rows, COLUMNS)
    look = looks(list(points["family"]))
    area = _areas(points["params_b"])
    low = min(-0.05, float(points[["x", "y"]].min().min()) - 0.05)
    for axis, (task_type, said) in zip(axes, found.items(), strict=False):
        panel = points[points["task_type"] == task_type]
        axis.plot([low, 1.05], [low, 1.05], color=GREY, linewidth=0.6, linestyle="--", zorder=1)
        for family, group in panel.groupby("family", sort=True):
            colour, marker = look[str(family)]
            x, y = group["x"], group["y"]
            bars: dict[str, Any] = {
                "xerr": group["x_stderr"],
                "yerr": group["y_stderr"],
                "elinewidth": 0.5,
            }
            axis.errorbar(x, y, **bars, fmt="none", ecolor=colour, alpha=0.6, zorder=2)
            marks: dict[str, Any] = {
                "s": area[group.index],
                "color": colour,
                "marker": marker,
                "linewidths": 0.3,
            }
            axis.scatter(x, y, **marks, edgecolors="white", label=str(family), zorder=3)
        if said.line is not None and len(panel):
            ends = np.array([panel["x"].min(), panel["x"].max()])
            at = said.line.means[1] + said.line.slope * (ends - said.line.means[0])
            axis.plot(ends, at, color="black", linewidth=0.8, zorder=4)
        axis.set(xlim=(low, 1.05), ylim=(low, 1.05), aspect="equal")
        axis.set_title(f"{task_type}\n{_label(said.correlation)}")
        axis.set_xlabel(x_arm)
        axis.set_ylabel(y_arm)
    handles, labels = axes[0].get_legend_handles_labels()
    for axis in axes[len(found) :]:
        axis.set_axis_off()
    columns = 1 if len(labels) <= 12 else 3
    axes[len(found)].legend(handles, labels, title="family (area: parameters)", loc="center left",
                            ncols=columns)  # fmt: skip
    return drawn


def _areas(params_b: pd.Series) -> pd.Series:
    """Marker areas, points², growing with the logarithm of the parameters."""
    logs = np.log10(params_b)
    span = float(np.ptp(logs)) or 1.0
    areas: pd.Series = 8.0 + 28.0 * (logs - logs.min()) / span
    return areas


def _label(found: Correlation) -> str:
    if math.isnan(found.estimate):
        return found.note
    ends = f" [{number(found.interval.low)}, {number(found.interval.high)}]"
    return f"r = {number(found.estimate)}" + ("" if math.isnan(found.interval.low) else ends)
