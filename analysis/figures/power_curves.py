"""How likely a correlation is to be shown, by its size and the number of pairs.

`power_data` gives what is drawn; `power_curves` draws it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.data.families import Families
from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, figure, in_style
from analysis.statistics.power import power


def power_data(
    families: Families, *, items: int, intra_family: float = 0.5, pairs: int = 200
) -> pd.DataFrame:
    """`r, pairs, power` for studies of 6 to `pairs` pairs in families of these sizes."""
    labels = np.asarray(families.labels)
    rows = []
    for number in np.unique(np.linspace(6, pairs, 40).astype(int)):
        # The families of the study over and over, each time as new ones.
        own = [f"{labels[i % len(labels)]} {i // len(labels)}" for i in range(number)]
        found = power(Families.of(own), items=items, intra_family=intra_family).rows
        rows.append(found.assign(pairs=number)[["r", "pairs", "power"]])
    return pd.concat(rows, ignore_index=True)


@in_style
def power_curves(
    families: Families, *, items: int, intra_family: float = 0.5, width_mm: float = COLUMN_MM
) -> Figure:
    """Draws a curve for each true correlation; the study's own number of pairs is marked."""
    own = len(families.labels)
    data = power_data(
        families, items=items, intra_family=intra_family, pairs=max(100, round(1.5 * own))
    )
    drawn, (axis,) = figure(width_mm, 55.0)
    axis.axhline(0.8, color=GREY, linewidth=0.6, linestyle=":")
    axis.axvline(own, color=GREY, linewidth=0.6)
    for i, (r, rows) in enumerate(data.groupby("r")):
        axis.plot(rows["pairs"], rows["power"], color=COLOURS[i], label=f"r = {r:g}")
    axis.set_ylim(0, 1.02)
    axis.set_xlabel(f"pairs (intra-family correlation {intra_family:g})")
    axis.set_ylabel("power at .05")
    drawn.legend(loc="outside upper center", ncols=4)
    return drawn
