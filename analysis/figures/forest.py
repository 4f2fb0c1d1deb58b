"""Correlations with their intervals, type by type, all contrasts side by side.

`forest_data` gives what is drawn; `forest` draws it.
"""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, MARKERS, figure, in_style
from analysis.report import SHOWN, headline, number, without_error


def forest_data(correlations: pd.DataFrame, *, coefficient: str = "pearson") -> pd.DataFrame:
    """Rows of the plot from top to bottom: `label, contrast, estimate, low, high, corrected,
    place`; `corrected` is the estimate without measurement error, nan where there is none."""
    shown = headline(correlations, coefficient=coefficient)
    shown = shown[shown["level"].isin(SHOWN)].copy()
    about = ["contrast", "level", "task_type"]
    better = without_error(correlations)
    better = better[(better["coefficient"] == coefficient) & better["level"].isin(SHOWN)]
    of_better = better.set_index(about)["estimate"]
    shown["corrected"] = [
        of_better.get(key, math.nan) for key in shown[about].itertuples(index=False, name=None)
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
    correlations: pd.DataFrame, *, coefficient: str = "pearson", width_mm: float = COLUMN_MM
) -> Figure:
    """Draws the correlations of all tasks and of each type; open marks are corrected ones."""
    data = forest_data(correlations, coefficient=coefficient)
    labels = list(dict.fromkeys(data["label"]))
    drawn, (axis,) = figure(width_mm, 20.0 + 3.6 * len(data))
    axis.axvline(0, color=GREY, linewidth=0.6)
    for i, (contrast, rows) in enumerate(data.groupby("contrast", sort=False)):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        axis.hlines(rows["place"], rows["low"], rows["high"], color=colour, linewidth=1.0)
        axis.scatter(rows["estimate"], rows["place"], color=colour, marker=marker, s=14,
                     label=str(contrast), zorder=3)  # fmt: skip
        axis.scatter(rows["corrected"], rows["place"], facecolor="none", edgecolor=colour,
                     marker=marker, s=24, linewidth=0.6, zorder=2)  # fmt: skip
        for _, row in rows.iterrows():
            axis.annotate(number(row["estimate"]), (1.02, row["place"]), va="center", fontsize=5.5,
                          color=colour, xycoords=("axes fraction", "data"))  # fmt: skip
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(min(-0.5, float(data["low"].min(skipna=True)) - 0.05), 1.02)
    names = {"pearson": "Pearson's r", "spearman": "Spearman's ρ", "kendall": "Kendall's τ"}
    axis.set_xlabel(f"{names[coefficient]} across pairs, 95 % interval over families")
    drawn.legend(loc="outside upper center", ncols=3)
    return drawn
