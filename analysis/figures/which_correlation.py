"""The estimands side by side, task types × estimands: a heat map of Pearson's r.

`which_correlation_data` gives what is drawn, from `tables/correlations.csv`; `which_correlation`
draws it. What cannot be estimated is grey.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLUMN_MM, MISSING, canvas, in_style
from analysis.formatting import number
from analysis.statistics.correlation.estimands import ESTIMANDS

CORRECTED = "across pairs, corrected"
"Column of the disattenuated correlation across pairs."


def which_correlation_data(correlations: pd.DataFrame, *, contrast: str) -> pd.DataFrame:
    """Pearson's r, a row for all tasks and each type, a column for each estimand.

    The correlation across pairs has a second column, disattenuated.
    """
    shown = correlations[
        (correlations["contrast"] == contrast)
        & (correlations["coefficient"] == "pearson")
        & (correlations["level"] != "task")
        & (correlations["corrected"] != "halves")
    ]
    names = shown["estimand"].str.replace("_", " ")
    columns = names.where(shown["corrected"] == "none", CORRECTED)
    labels = shown["task_type"].where(shown["level"] == "type", "all tasks")
    table = shown.assign(column=columns, label=labels).pivot(
        index="label", columns="column", values="estimate"
    )
    rows = ["all tasks", *sorted(set(labels) - {"all tasks"})]
    order = [ESTIMANDS[0].replace("_", " "), CORRECTED]
    order += [name.replace("_", " ") for name in ESTIMANDS[1:]]
    return table.reindex(index=rows, columns=order)


@in_style
def which_correlation(
    correlations: pd.DataFrame,
    *,
    contrast: str,
    axes: Axes | None = None,
    width_mm: float = COLUMN_MM,
) -> Figure:
    """Draw the table with its numbers."""
    data = which_correlation_data(correlations, contrast=contrast)
    values = data.to_numpy(dtype=float)
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=26.0 + 5.0 * len(data))
    axis = panels[0]
    colours = matplotlib.colormaps["RdBu"].with_extremes(bad=MISSING)
    image = axis.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if abs(value) > 0.65 else "black"
        text = number(float(value))
        axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=6)
    axis.set_yticks(range(len(data)), list(data.index))
    names = [name.replace(" ", "\n", 1).replace(", ", ",\n") for name in data.columns]
    axis.set_xticks(range(data.shape[1]), names, fontsize=5.5)
    axis.tick_params(length=0)
    axis.set_title(contrast, loc="left")
    figure.colorbar(image, ax=axis, shrink=0.7, label="r")
    return figure
