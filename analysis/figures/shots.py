"""The correlation with the tuned model by the base model's number of demonstrations.

`shots_data` gives what is drawn; `shots` draws a line for all tasks and one for each type.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.data.points import groups
from analysis.figures.plot_style import (
    COLOURS,
    COLUMN_MM,
    GREY,
    MARKERS,
    add_legend,
    canvas,
    in_style,
)
from analysis.statistics.correlation.correlate import correlate
from study.config.analysis import Contrast
from study.config.arms import Arm, arm_or_none

COLUMNS = ["label", "shots", "arm", "n_pairs", "estimate", "low", "high"]


def shots_data(scores: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """Columns `label, shots, arm, n_pairs, estimate, low, high`.

    One row per arm that differs from the contrast's x arm in the number of shots alone, against its
    y arm: arms of another form, intervention or thinking are no points of its curve. No row if the
    x arm is one of imported scores whose number of shots is unknown.
    """
    x_arm = arm_or_none(contrast.x)
    rows = []
    for name in scores["arm"].unique():
        arm = arm_or_none(name)
        if x_arm is None or arm is None or not _on_one_curve(arm, x_arm):
            continue
        for group in groups(scores, x_arm=name, y_arm=contrast.y):
            if group.level != "task":
                correlation = correlate(group.x, group.y, group.families)
                rows.append(
                    [
                        group.task_type or "all tasks",
                        arm.shots,
                        name,
                        correlation.n_pairs,
                        correlation.estimate,
                        correlation.interval.low,
                        correlation.interval.high,
                    ]
                )
    data = pd.DataFrame(rows, columns=COLUMNS)
    by_type = data.assign(by_type=data["label"] != "all tasks")
    order = by_type.sort_values(["by_type", "label", "shots"], kind="stable")
    return order[COLUMNS].reset_index(drop=True)


def _on_one_curve(arm: Arm, x_arm: Arm) -> bool:
    """Whether an arm differs from the x arm in the number of shots alone."""
    turns = x_arm.multiturn if arm.shots == 0 else arm.multiturn  # no shots, no turns
    return replace(arm, name=x_arm.name, shots=x_arm.shots, multiturn=turns) == x_arm


@in_style
def shots(
    scores: pd.DataFrame,
    contrast: Contrast,
    *,
    axes: Axes | None = None,
    width_mm: float = COLUMN_MM,
) -> Figure:
    """Draw a thick line for all tasks and a line for each type, with 95 % intervals."""
    data = shots_data(scores, contrast)
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=62.0)
    axis = panels[0]
    axis.axhline(0, color=GREY, linewidth=0.6)
    counts = sorted(data["shots"].unique())
    index = {count: i for i, count in enumerate(counts)}
    labels = list(dict.fromkeys(data["label"]))
    for i, (label, rows) in enumerate(data.groupby("label", sort=False)):
        colour = "black" if i == 0 else COLOURS[(i - 1) % (len(COLOURS) - 2)]
        place = rows["shots"].map(index) + 0.03 * (i - (len(labels) - 1) / 2)
        axis.vlines(place, rows["low"], rows["high"], color=colour, linewidth=0.7, alpha=0.7)
        axis.plot(
            place,
            rows["estimate"],
            color=colour,
            marker=MARKERS[i % len(MARKERS)],
            markersize=3.5,
            linewidth=1.6 if i == 0 else 0.8,
            label=str(label),
        )
    axis.set_xticks(range(len(counts)), [str(count) for count in counts])
    axis.set_ylim(top=1.02)
    axis.set_xlabel(f"demonstrations ({contrast.x.partition('-')[0]})")
    axis.set_ylabel(f"r with {contrast.y}, across pairs")
    add_legend(figure, panels, axes, loc="outside upper center", ncols=3)
    return figure
