"""Which correlation is meant: types of tasks × estimands, as a heat map.

`which_correlation_data` gives what is drawn, from `tables/correlations.csv`; `which_correlation`
draws it. What cannot be estimated is grey.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLUMN_MM, figure, in_style
from analysis.report import number
from analysis.statistics.correlation.estimands import ESTIMANDS

CORRECTED = "across pairs, corrected"


def which_correlation_data(correlations: pd.DataFrame, *, contrast: str) -> pd.DataFrame:
    """Pearson's r, a row for all tasks and for each type, a column for each estimand and for the
    headline without measurement error."""
    own = correlations[
        (correlations["contrast"] == contrast)
        & (correlations["coefficient"] == "pearson")
        & (correlations["level"] != "task")
        & (correlations["corrected"] != "halves")
    ]
    plain = own["estimand"].str.replace("_", " ")
    columns = plain.where(own["corrected"] == "none", CORRECTED)
    labels = own["task_type"].where(own["level"] == "type", "all tasks")
    table = own.assign(column=columns, label=labels).pivot(
        index="label", columns="column", values="estimate"
    )
    rows = ["all tasks", *sorted(set(labels) - {"all tasks"})]
    wanted = [ESTIMANDS[0].replace("_", " "), CORRECTED]
    wanted += [name.replace("_", " ") for name in ESTIMANDS[1:]]
    return table.reindex(index=rows, columns=wanted)


@in_style
def which_correlation(
    correlations: pd.DataFrame, *, contrast: str, width_mm: float = COLUMN_MM
) -> Figure:
    """Draws the table, each number in its place."""
    data = which_correlation_data(correlations, contrast=contrast)
    values = data.to_numpy(dtype=float)
    drawn, (axis,) = figure(width_mm, 26.0 + 5.0 * len(data))
    colours = matplotlib.colormaps["RdBu"].with_extremes(bad="#cccccc")
    image = axis.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if abs(value) > 0.65 else "black"
        axis.text(column, row, number(float(value)), ha="center", va="center", color=ink,
                  fontsize=6)  # fmt: skip
    axis.set_yticks(range(len(data)), list(data.index))
    names = [name.replace(" ", "\n", 1).replace(", ", ",\n") for name in data.columns]
    axis.set_xticks(range(data.shape[1]), names, fontsize=5.5)
    axis.tick_params(length=0)
    axis.set_title(contrast, loc="left")
    drawn.colorbar(image, ax=axis, shrink=0.7, label="r")
    return drawn
