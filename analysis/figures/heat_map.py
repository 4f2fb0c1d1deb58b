"""One arm's scores, tasks × pairs.

`heat_map_data` gives what is drawn; `heat_map` draws it. Scores are chance-normalised; white is
chance, blue above, red below; a missing score is grey.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.data.points import arm_scores
from analysis.figures.plot_style import PAGE_MM, figure, in_style


def heat_map_data(scores: pd.DataFrame, *, arm: str) -> pd.DataFrame:
    """Chance-normalised scores, index (task_type, task), columns pairs by family and size."""
    own = arm_scores(scores, arm)
    order = own[["family", "params_b", "pair"]].drop_duplicates()
    order = order.sort_values(["family", "params_b", "pair"])
    table = own.pivot(index=["task_type", "task"], columns="pair", values="score")
    return table[list(order["pair"])].sort_index()


@in_style
def heat_map(scores: pd.DataFrame, *, arms: list[str], width_mm: float = PAGE_MM) -> Figure:
    """Draws the arms one above the other, on one scale."""
    tables = [heat_map_data(scores, arm=arm) for arm in arms]
    height = 30.0 + sum(3.2 * len(table) + 8 for table in tables)
    drawn, axes = figure(width_mm, height, rows=len(tables))
    colours = matplotlib.colormaps["RdBu"].with_extremes(bad="#cccccc")
    for axis, arm, table in zip(axes, arms, tables, strict=True):
        image = axis.imshow(
            np.ma.masked_invalid(table.to_numpy(dtype=float)), cmap=colours, vmin=-1, vmax=1,
            aspect="auto", interpolation="nearest",
        )  # fmt: skip
        axis.set_yticks(range(len(table)), [task for _, task in table.index], fontsize=5)
        axis.set_title(arm, loc="left")
        axis.set_xticks([])
        types = [task_type for task_type, _ in table.index]
        for i in range(1, len(types)):
            if types[i] != types[i - 1]:
                axis.axhline(i - 0.5, color="black", linewidth=0.6)
    axes[-1].set_xticks(range(tables[-1].shape[1]), list(tables[-1].columns), rotation=90,
                        fontsize=4.5)  # fmt: skip
    drawn.colorbar(image, ax=axes, shrink=0.4, label="(score − chance) / (1 − chance)")
    return drawn
