"""Shares of what tuned models solve that their bases solve too, or in no arm and draw.

`item_overlap_data` gives what is drawn, from `tables/agreement.csv`; `item_overlap` draws it.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, COLUMN_MM, add_legend, canvas, in_style

LABELS = {
    "base_given_tuned": "of the items tuned models solve: solved by the base too",
    "only_tuned": "of all items: solved by the tuned model, by its base in no arm",
}


def item_overlap_data(agreement: pd.DataFrame, *, contrast: str) -> pd.DataFrame:
    """Columns `group, quantity, estimate, low, high, place`, groups from top to bottom."""
    shown = agreement[
        (agreement["contrast"] == contrast) & agreement["quantity"].isin(LABELS)
    ].copy()
    names = list(dict.fromkeys(shown["group"]))
    shown["place"] = shown["group"].map({name: i for i, name in enumerate(names)})
    columns = ["group", "quantity", "estimate", "low", "high", "place"]
    return shown[columns].reset_index(drop=True)


@in_style
def item_overlap(
    agreement: pd.DataFrame,
    *,
    contrast: str,
    axes: Axes | None = None,
    width_mm: float = COLUMN_MM,
) -> Figure:
    """Draw both shares for all tasks, each type and each exposure, with intervals over items."""
    data = item_overlap_data(agreement, contrast=contrast)
    groups = list(dict.fromkeys(data["group"]))
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=24.0 + 5.0 * len(groups))
    axis = panels[0]
    for i, (quantity, label) in enumerate(LABELS.items()):
        rows = data[data["quantity"] == quantity]
        place = rows["place"] + 0.36 * (i - 0.5)
        axis.barh(place, rows["estimate"], height=0.34, color=COLOURS[i], label=label)
        axis.hlines(place, rows["low"], rows["high"], color="black", linewidth=0.8)
    axis.set_yticks(range(len(groups)), groups)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("share of items, 95 % CI over items")
    add_legend(figure, panels, axes, loc="outside upper center", ncols=1)
    return figure
