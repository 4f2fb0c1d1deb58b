"""Power to detect a correlation, by its size and the number of pairs.

`power_data` gives what is drawn; `power_curves` draws it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, add_legend, canvas, in_style
from analysis.statistics.families import Families
from analysis.statistics.items.sampling import check_number
from analysis.statistics.power import power

MIN_PAIRS = 6


def power_data(
    families: Families, *, items: int, intra_family: float = 0.5, pairs: int = 200
) -> pd.DataFrame:
    """Columns `r, pairs, power`, for studies of 6 to `pairs` pairs in families of these sizes.

    ValueError if `pairs` is below 6, or for what `power` refuses.
    """
    check_number("pairs", pairs, minimum=MIN_PAIRS)
    labels = np.asarray(families.labels)
    rows = []
    for count in np.unique(np.linspace(MIN_PAIRS, pairs, 40).astype(int)):
        # Repeats the study's families, each time as new ones.
        repeated = [f"{labels[i % len(labels)]} {i // len(labels)}" for i in range(count)]
        result = power(Families.of(repeated), items=items, intra_family=intra_family).rows
        rows.append(result.assign(pairs=count)[["r", "pairs", "power"]])
    return pd.concat(rows, ignore_index=True)


@in_style
def power_curves(
    families: Families,
    *,
    items: int,
    intra_family: float = 0.5,
    axes: Axes | None = None,
    width_mm: float = COLUMN_MM,
) -> Figure:
    """Draw a curve for each true correlation, and a line at the study's number of pairs."""
    n_pairs = len(families.labels)
    most = max(100, round(1.5 * n_pairs))
    data = power_data(families, items=items, intra_family=intra_family, pairs=most)
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=55.0)
    axis = panels[0]
    axis.axhline(0.8, color=GREY, linewidth=0.6, linestyle=":")
    axis.axvline(n_pairs, color=GREY, linewidth=0.6)
    for i, (r, rows) in enumerate(data.groupby("r")):
        axis.plot(rows["pairs"], rows["power"], color=COLOURS[i], label=f"r = {r:g}")
    axis.set_ylim(0, 1.02)
    axis.set_xlabel(f"pairs (intra-family correlation {intra_family:g})")
    axis.set_ylabel("power at .05")
    add_legend(figure, panels, axes, loc="outside upper center", ncols=4)
    return figure
