"""Scores of each arm, tasks × pairs: heat maps.

`heat_map_data` gives what is drawn; `heat_map` draws it. Scores are chance-normalised: white is
chance, blue above, red below, grey missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.data.points import arm_scores
from analysis.figures.plot_style import MISSING, PAGE_MM, canvas, in_style


def heat_map_data(scores: pd.DataFrame, *, arm: str) -> pd.DataFrame:
    """Chance-normalised scores, index (task_type, task), columns pairs by family and size."""
    normalised = arm_scores(scores, arm)
    order = normalised[["family", "params_b", "pair"]].drop_duplicates()
    order = order.sort_values(["family", "params_b", "pair"])
    table = normalised.pivot(index=["task_type", "task"], columns="pair", values="score")
    return table[list(order["pair"])].sort_index()


@in_style
def heat_map(
    scores: pd.DataFrame,
    *,
    arms: Sequence[str],
    axes: Sequence[Axes] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draw a panel for each arm, one above the other, on one scale."""
    tables = [heat_map_data(scores, arm=arm) for arm in arms]
    height_mm = 30.0 + sum(3.2 * len(table) + 8 for table in tables)
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=height_mm, rows=len(tables))
    colours = matplotlib.colormaps["RdBu"].with_extremes(bad=MISSING)
    for axis, arm, table in zip(panels, arms, tables, strict=True):
        image = axis.imshow(
            np.ma.masked_invalid(table.to_numpy(dtype=float)),
            cmap=colours,
            vmin=-1,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
        )
        axis.set_yticks(range(len(table)), [task for _, task in table.index], fontsize=5)
        axis.set_title(arm, loc="left")
        axis.set_xticks([])
        types = [task_type for task_type, _ in table.index]
        for i in range(1, len(types)):
            if types[i] != types[i - 1]:
                axis.axhline(i - 0.5, color="black", linewidth=0.6)
    pairs = list(tables[-1].columns)
    panels[-1].set_xticks(range(len(pairs)), pairs, rotation=90, fontsize=4.5)
    figure.colorbar(image, ax=panels, shrink=0.4, label="(score − chance) / (1 − chance)")
    return figure
