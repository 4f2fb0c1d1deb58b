"""Base scores against tuned scores: a panel for each task type, a point for each pair.

`scatter_data` gives what is drawn; `scatter_by_type` draws points by family, their area by number
of parameters, bars of one standard error (sampling of items), the line of identity, the latent
regression line (of true y on true x), and r with its interval clustered by family.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.data.error_variance import group_error_variance
from analysis.data.items import ItemScores
from analysis.data.points import contrast_points, groups
from analysis.figures.plot_style import GREY, PAGE_MM, canvas, family_styles, in_style
from analysis.formatting import number
from analysis.statistics.correlation.correlate import Correlation, correlate
from analysis.statistics.disattenuation.disattenuate import latent_scores
from analysis.statistics.disattenuation.likelihood import TrueScores

COLUMNS = 3
TOP = 1.05
"Upper limit of both axes."


@dataclass(frozen=True)
class Panel:
    """The statistics of a task type."""

    correlation: Correlation
    line: TrueScores | None
    "None where it cannot be estimated."


def scatter_data(
    scores: pd.DataFrame, *, x_arm: str, y_arm: str, items: ItemScores | None = None
) -> tuple[pd.DataFrame, dict[str, Panel]]:
    """The points at the level of types, and each type's correlation and latent regression line.

    Error variances are those of item scores where there are any, else from standard errors.
    """
    points = contrast_points(scores, x_arm=x_arm, y_arm=y_arm, level="type")
    statistics = {}
    for group in groups(scores, x_arm=x_arm, y_arm=y_arm):
        if group.level == "type":
            errors = group_error_variance(group, items)
            x, y = group.x.mean(1), group.y.mean(1)
            line = None if errors is None else latent_scores(x, y, errors)
            correlation = correlate(group.x, group.y, group.families)
            statistics[group.task_type] = Panel(correlation, line)
    return points, statistics


@in_style
def scatter_by_type(
    scores: pd.DataFrame,
    *,
    x_arm: str,
    y_arm: str,
    items: ItemScores | None = None,
    axes: Sequence[Axes] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draw a contrast; given `axes` must be one for each task type and one for the legend."""
    points, statistics = scatter_data(scores, x_arm=x_arm, y_arm=y_arm, items=items)
    n_panels = len(statistics) + 1
    rows = math.ceil(n_panels / COLUMNS)
    if axes is None:
        height_mm = rows * (width_mm / COLUMNS + 4)
        figure, panels = canvas(
            None, width_mm=width_mm, height_mm=height_mm, rows=rows, columns=COLUMNS
        )
    else:
        figure, panels = canvas(axes, width_mm=width_mm, height_mm=width_mm, columns=n_panels)
    styles = family_styles(list(points["family"]))
    area = _areas(points["params_b"])
    low = min(-0.05, float(points[["x", "y"]].min().min()) - 0.05)
    for axis, (task_type, panel) in zip(panels, statistics.items(), strict=False):
        shown = points[points["task_type"] == task_type]
        axis.plot([low, TOP], [low, TOP], color=GREY, linewidth=0.6, linestyle="--", zorder=1)
        _draw_points(axis, shown, area, styles)
        if panel.line is not None and len(shown):
            ends = np.array([shown["x"].min(), shown["x"].max()])
            heights = panel.line.means[1] + panel.line.slope * (ends - panel.line.means[0])
            axis.plot(ends, heights, color="black", linewidth=0.8, zorder=4)
        axis.set(xlim=(low, TOP), ylim=(low, TOP), aspect="equal")
        axis.set_title(f"{task_type}\n{_label(panel.correlation)}")
        axis.set_xlabel(x_arm)
        axis.set_ylabel(y_arm)
    _draw_legend(panels, len(statistics))
    return figure


def _draw_points(
    axis: Axes, points: pd.DataFrame, area: pd.Series, styles: dict[str, tuple[str, str]]
) -> None:
    for family, group in points.groupby("family", sort=True):
        colour, marker = styles[str(family)]
        axis.errorbar(
            group["x"],
            group["y"],
            xerr=group["x_stderr"],
            yerr=group["y_stderr"],
            elinewidth=0.5,
            fmt="none",
            ecolor=colour,
            alpha=0.6,
            zorder=2,
        )
        axis.scatter(
            group["x"],
            group["y"],
            s=area[group.index],
            color=colour,
            marker=marker,
            linewidths=0.3,
            edgecolors="white",
            label=str(family),
            zorder=3,
        )


def _draw_legend(panels: Sequence[Axes], n_types: int) -> None:
    """Draw the families in the first panel after those of the types, and hide the others."""
    handles, labels = panels[0].get_legend_handles_labels()
    for axis in panels[n_types:]:
        axis.set_axis_off()
    columns = 1 if len(labels) <= 12 else 3
    title = "family (area: parameters)"
    panels[n_types].legend(handles, labels, title=title, loc="center left", ncols=columns)


def _areas(params_b: pd.Series) -> pd.Series:
    """Marker areas, points², which grow with the logarithm of the number of parameters."""
    logs = np.log10(params_b)
    span = float(np.ptp(logs)) or 1.0
    areas: pd.Series = 8.0 + 28.0 * (logs - logs.min()) / span
    return areas


def _label(correlation: Correlation) -> str:
    if math.isnan(correlation.estimate):
        return correlation.note
    low, high = correlation.interval.low, correlation.interval.high
    ends = "" if math.isnan(low) else f" [{number(low)}, {number(high)}]"
    return f"r = {number(correlation.estimate)}{ends}"
