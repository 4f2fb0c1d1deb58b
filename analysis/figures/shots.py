"""The correlation with the tuned model against the number of demonstrations that the base saw.

`shots_data` gives what is drawn; `shots` draws a line for all tasks and one for each type.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.data.points import groups
from analysis.figures.plot_style import COLOURS, COLUMN_MM, GREY, MARKERS, figure, in_style
from analysis.statistics.correlation.correlate import correlate
from study.config.analysis import Contrast
from study.config.arms import parse_arm

COLUMNS = ["label", "shots", "arm", "n_pairs", "estimate", "low", "high"]


def shots_data(scores: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """`label, shots, arm, n_pairs, estimate, low, high`: every arm that is the contrast's x but for
    the number of shots, against its y. Without shots neither turns nor draws can differ."""
    wanted = parse_arm(contrast.x)
    rows = []
    for name in scores["arm"].unique():
        arm = parse_arm(name)
        alike = arm.template == wanted.template and (
            arm.shots == 0 or arm.multiturn == wanted.multiturn
        )
        if arm.role != wanted.role or not alike:
            continue
        for group in groups(scores, x_arm=name, y_arm=contrast.y):
            if group.level != "task":
                found = correlate(group.x, group.y, group.families)
                label = group.task_type or "all tasks"
                rows.append([label, arm.shots, name, found.n_pairs, found.estimate,
                             found.interval.low, found.interval.high])  # fmt: skip
    data = pd.DataFrame(rows, columns=COLUMNS)
    first = data["label"] != "all tasks"
    order = data.assign(first=first).sort_values(["first", "label", "shots"], kind="stable")
    return order[COLUMNS].reset_index(drop=True)


@in_style
def shots(scores: pd.DataFrame, contrast: Contrast, *, width_mm: float = COLUMN_MM) -> Figure:
    """Draws a line for all tasks, thick, and one for each type, with 95 % intervals."""
    data = shots_data(scores, contrast)
    drawn, (axis,) = figure(width_mm, 62.0)
    axis.axhline(0, color=GREY, linewidth=0.6)
    numbers = sorted(data["shots"].unique())
    place = {number: i for i, number in enumerate(numbers)}
    labels = list(dict.fromkeys(data["label"]))
    for i, (label, rows) in enumerate(data.groupby("label", sort=False)):
        colour = "black" if i == 0 else COLOURS[(i - 1) % (len(COLOURS) - 2)]
        at = rows["shots"].map(place) + 0.03 * (i - (len(labels) - 1) / 2)
        axis.vlines(at, rows["low"], rows["high"], color=colour, linewidth=0.7, alpha=0.7)
        axis.plot(at, rows["estimate"], color=colour, marker=MARKERS[i % len(MARKERS)],
                  markersize=3.5, linewidth=1.6 if i == 0 else 0.8, label=str(label))  # fmt: skip
    axis.set_xticks(range(len(numbers)), [str(number) for number in numbers])
    axis.set_ylim(top=1.02)
    axis.set_xlabel(f"demonstrations ({parse_arm(contrast.x).role})")
    axis.set_ylabel(f"r with {contrast.y}, across pairs")
    drawn.legend(loc="outside upper center", ncols=3)
    return drawn
