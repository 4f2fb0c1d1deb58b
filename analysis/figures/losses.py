"""The loss of every step of tuning.

`losses_data` gives what is drawn, from the curves and `tables/tuning.csv`; `losses` draws it: a
panel for each format, a colour for each loss, a thin line for each model.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.plot_style import COLOURS, PAGE_MM, figure, in_style

WINDOW = 20
"Steps over which a curve is smoothed, at most: a tenth of it."


def losses_data(curves: pd.DataFrame, tuning: pd.DataFrame) -> pd.DataFrame:
    """`pair, format, loss_name, step, loss`, each model's loss as a running mean."""
    data = curves.merge(
        tuning[["pair", "format", "loss"]].rename(columns={"loss": "loss_name"}), on="pair"
    ).sort_values(["pair", "step"])

    def smooth(loss: pd.Series) -> pd.Series:
        return loss.rolling(max(1, min(WINDOW, len(loss) // 10)), min_periods=1).mean()

    data["loss"] = data.groupby("pair")["loss"].transform(smooth)
    return data[["pair", "format", "loss_name", "step", "loss"]].reset_index(drop=True)


@in_style
def losses(curves: pd.DataFrame, tuning: pd.DataFrame, *, width_mm: float = PAGE_MM) -> Figure:
    """Draws all curves."""
    data = losses_data(curves, tuning)
    formats = sorted(data["format"].unique())
    names = sorted(data["loss_name"].unique())
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    drawn, axes = figure(width_mm, 60.0, columns=max(1, len(formats)))
    for axis, format in zip(axes, formats, strict=False):
        for (_, name), own in data[data["format"] == format].groupby(["pair", "loss_name"]):
            axis.plot(own["step"], own["loss"], color=colours[name], linewidth=0.4, alpha=0.6)
        axis.set_title(format)
        axis.set_xlabel("step")
        axis.set_yscale("log")
    axes[0].set_ylabel("loss, nats a token")
    for name in names:
        axes[0].plot([], [], color=colours[name], label=name)
    drawn.legend(loc="outside upper center", ncols=4)
    return drawn
