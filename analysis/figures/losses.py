"""Training losses of the models that a study tuned.

`losses_data` gives what is drawn, from the loss curves and `tables/tuning.csv`; `losses` draws a
panel for each prompt format, a colour for each loss mask, a thin line for each model.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from analysis.figures.plot_style import COLOURS, PAGE_MM, add_legend, canvas, in_style

MAX_WINDOW = 20
"Largest number of steps over which a curve is smoothed; at most a tenth of its length."


def losses_data(curves: pd.DataFrame, tuning: pd.DataFrame) -> pd.DataFrame:
    """Columns `pair, format, loss_name, step, loss`, each model's loss as a running mean."""
    data = curves.merge(
        tuning[["pair", "format", "loss"]].rename(columns={"loss": "loss_name"}), on="pair"
    ).sort_values(["pair", "step"])

    def smooth(loss: pd.Series) -> pd.Series:
        return loss.rolling(max(1, min(MAX_WINDOW, len(loss) // 10)), min_periods=1).mean()

    data["loss"] = data.groupby("pair")["loss"].transform(smooth)
    return data[["pair", "format", "loss_name", "step", "loss"]].reset_index(drop=True)


@in_style
def losses(
    curves: pd.DataFrame,
    tuning: pd.DataFrame,
    *,
    axes: Sequence[Axes] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draw the curves of all models, on a logarithmic scale."""
    data = losses_data(curves, tuning)
    formats = sorted(data["format"].unique())
    names = sorted(data["loss_name"].unique())
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    columns = max(1, len(formats))
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=60.0, columns=columns)
    for axis, format_name in zip(panels, formats, strict=False):
        rows = data[data["format"] == format_name]
        for (_, name), curve in rows.groupby(["pair", "loss_name"]):
            axis.plot(curve["step"], curve["loss"], color=colours[name], linewidth=0.4, alpha=0.6)
        axis.set_title(format_name)
        axis.set_xlabel("step")
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(LogFormatter())
        axis.yaxis.set_minor_formatter(LogFormatter())
    panels[0].set_ylabel("loss, nats per token")
    for name in names:
        panels[0].plot([], [], color=colours[name], label=name)
    add_legend(figure, panels, axes, loc="outside upper center", ncols=4)
    return figure
