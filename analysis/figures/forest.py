"""Correlations with their intervals, by task type and contrast: a forest plot.

`forest_data` gives what is drawn, from `tables/correlations.csv`; `forest` draws it.
"""

from __future__ import annotations

import math

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
from analysis.formatting import number
from analysis.tables.correlations import REPORTED_LEVELS, disattenuated, headline

NAMES = {"pearson": "Pearson's r", "spearman": "Spearman's ρ", "kendall": "Kendall's τ"}


def forest_data(correlations: pd.DataFrame, *, coefficient: str = "pearson") -> pd.DataFrame:
    """Columns `label, contrast, estimate, low, high, corrected, place`, from top to bottom.

    `corrected` is the disattenuated estimate, nan where there is none.
    """
    shown = headline(correlations, coefficient=coefficient)
    shown = shown[shown["level"].isin(REPORTED_LEVELS)].copy()
    keys = ["contrast", "level", "task_type"]
    corrected = disattenuated(correlations)
    corrected = corrected[
        (corrected["coefficient"] == coefficient) & corrected["level"].isin(REPORTED_LEVELS)
    ]
    estimates = corrected.set_index(keys)["estimate"]
    shown["corrected"] = [
        estimates.get(key, math.nan) for key in shown[keys].itertuples(index=False, name=None)
    ]
    shown["label"] = shown["task_type"].where(shown["level"] == "type", "all tasks")
    labels = ["all tasks", *sorted(set(shown["label"]) - {"all tasks"})]
    contrasts = list(dict.fromkeys(shown["contrast"]))
    step = 0.7 / max(1, len(contrasts))
    shown["place"] = [
        labels.index(label) + step * (contrasts.index(contrast) - (len(contrasts) - 1) / 2)
        for label, contrast in zip(shown["label"], shown["contrast"], strict=True)
    ]
    columns = ["label", "contrast", "estimate", "low", "high", "corrected", "place"]
    return shown.sort_values("place")[columns].reset_index(drop=True)


@in_style
def forest(
    correlations: pd.DataFrame,
    *,
    coefficient: str = "pearson",
    axes: Axes | None = None,
    width_mm: float = COLUMN_MM,
) -> Figure:
    """Draw the correlations of all tasks and of each type; open markers are disattenuated."""
    data = forest_data(correlations, coefficient=coefficient)
    labels = list(dict.fromkeys(data["label"]))
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=20.0 + 3.6 * len(data))
    axis = panels[0]
    axis.axvline(0, color=GREY, linewidth=0.6)
    for i, (contrast, rows) in enumerate(data.groupby("contrast", sort=False)):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        _draw_rows(axis, rows, colour, marker, label=str(contrast))
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(min(-0.5, float(data["low"].min(skipna=True)) - 0.05), 1.02)
    axis.set_xlabel(f"{NAMES[coefficient]} across pairs, 95 % CI clustered by family")
    add_legend(figure, panels, axes, loc="outside upper center", ncols=3)
    return figure


def _draw_rows(axis: Axes, rows: pd.DataFrame, colour: str, marker: str, *, label: str) -> None:
    place = rows["place"]
    axis.hlines(place, rows["low"], rows["high"], color=colour, linewidth=1.0)
    axis.scatter(rows["estimate"], place, color=colour, marker=marker, s=14, label=label, zorder=3)
    axis.scatter(
        rows["corrected"],
        place,
        facecolor="none",
        edgecolor=colour,
        marker=marker,
        s=24,
        linewidth=0.6,
        zorder=2,
    )
    for _, row in rows.iterrows():
        axis.annotate(
            number(row["estimate"]),
            (1.02, row["place"]),
            va="center",
            fontsize=5.5,
            color=colour,
            xycoords=("axes fraction", "data"),
        )
