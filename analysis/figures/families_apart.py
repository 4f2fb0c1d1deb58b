"""The overall correlation over all pairs, between family means, and within families.

`families_apart_data` gives what is drawn; `families_apart` draws the same points as they are,
averaged by family, and as deviations from their family's mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.data.points import contrast_points
from analysis.figures.plot_style import (
    GREY,
    PAGE_MM,
    add_legend,
    canvas,
    family_styles,
    in_style,
)
from analysis.formatting import number
from study.config.analysis import Contrast

PANELS = {
    "all pairs": "as measured",
    "means of families": "between families",
    "within families": "within families",
}
"By panel, the check of the robustness table whose number it shows."


def families_apart_data(scores: pd.DataFrame, *, x_arm: str, y_arm: str) -> pd.DataFrame:
    """Columns `panel, family, x, y`, over all tasks.

    Families of one pair have no point within families.
    """
    points = contrast_points(scores, x_arm=x_arm, y_arm=y_arm, level="overall")
    points = points[["family", "x", "y"]]
    means = points.groupby("family", sort=True)[["x", "y"]].mean()
    deviations = points.copy()
    deviations[["x", "y"]] -= means.loc[points["family"]].to_numpy()
    deviations = deviations[deviations.groupby("family")["x"].transform("size") > 1]
    parts = (points, means.reset_index(), deviations)
    panels = [part.assign(panel=panel) for panel, part in zip(PANELS, parts, strict=True)]
    return pd.concat(panels, ignore_index=True)[["panel", "family", "x", "y"]]


@in_style
def families_apart(
    scores: pd.DataFrame,
    robustness: pd.DataFrame,
    contrast: Contrast,
    *,
    axes: Sequence[Axes] | None = None,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draw the three panels, each with r and its interval from `tables/robustness.csv`."""
    data = families_apart_data(scores, x_arm=contrast.x, y_arm=contrast.y)
    checks = robustness[robustness["contrast"] == contrast.name].set_index("check")
    styles = family_styles(list(data["family"]))
    height_mm = width_mm / 3 + 14
    figure, panels = canvas(axes, width_mm=width_mm, height_mm=height_mm, columns=len(PANELS))
    for axis, (panel, check) in zip(panels, PANELS.items(), strict=True):
        points = data[data["panel"] == panel]
        for family, group in points.groupby("family", sort=True):
            colour, marker = styles[str(family)]
            axis.scatter(
                group["x"],
                group["y"],
                color=colour,
                marker=marker,
                s=12,
                linewidths=0.3,
                edgecolors="white",
                label=str(family),
            )
        if panel == "within families":
            axis.axhline(0, color=GREY, linewidth=0.4)
            axis.axvline(0, color=GREY, linewidth=0.4)
        values = checks.loc[check, ["estimate", "low", "high"]].to_numpy(dtype=float)
        r, low, high = (number(float(value)) for value in values)
        axis.set_title(f"{panel}\nr = {r} [{low}, {high}]")
        axis.set_xlabel(contrast.x)
    panels[0].set_ylabel(contrast.y)
    handles, labels = panels[0].get_legend_handles_labels()
    if labels:
        place = {"loc": "outside lower center", "ncols": min(6, len(labels))}
        add_legend(figure, panels, axes, handles=handles, labels=labels, **place)
    return figure
