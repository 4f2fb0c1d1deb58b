"""One correlation in three: over all pairs, between the means of families, within families.

`families_apart_data` gives what is drawn; `families_apart` draws it: the same points as they are,
averaged by family, and as deviations from their family's mean.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.data.points import contrast_points
from analysis.figures.plot_style import GREY, PAGE_MM, figure, in_style, looks
from analysis.report import number
from study.config.analysis import Contrast

PANELS = {
    "all pairs": "as measured",
    "means of families": "between families",
    "within families": "within families",
}
"By panel, the check of the table of robustness whose number it shows."


def families_apart_data(scores: pd.DataFrame, *, x_arm: str, y_arm: str) -> pd.DataFrame:
    """`panel, family, x, y`, over all tasks; families of one have no point within."""
    points = contrast_points(scores, x_arm=x_arm, y_arm=y_arm, level="overall")
    points = points[["family", "x", "y"]]
    means = points.groupby("family", sort=True)[["x", "y"]].mean()
    apart = points.copy()
    apart[["x", "y"]] -= means.loc[points["family"]].to_numpy()
    apart = apart[apart.groupby("family")["x"].transform("size") > 1]
    parts = (points, means.reset_index(), apart)
    made = [part.assign(panel=panel) for panel, part in zip(PANELS, parts, strict=True)]
    return pd.concat(made, ignore_index=True)[["panel", "family", "x", "y"]]


@in_style
def families_apart(
    scores: pd.DataFrame,
    robustness: pd.DataFrame,
    contrast: Contrast,
    *,
    width_mm: float = PAGE_MM,
) -> Figure:
    """Draws the three panels; r and intervals are those of `tables/robustness.csv`."""
    data = families_apart_data(scores, x_arm=contrast.x, y_arm=contrast.y)
    own = robustness[robustness["contrast"] == contrast.name].set_index("check")
    look = looks(list(data["family"]))
    drawn, axes = figure(width_mm, width_mm / 3 + 14, columns=len(PANELS))
    for axis, (panel, check) in zip(axes, PANELS.items(), strict=True):
        of_panel = data[data["panel"] == panel]
        for family, group in of_panel.groupby("family", sort=True):
            colour, marker = look[str(family)]
            axis.scatter(group["x"], group["y"], color=colour, marker=marker, s=12, linewidths=0.3,
                         edgecolors="white", label=str(family))  # fmt: skip
        if panel == "within families":
            axis.axhline(0, color=GREY, linewidth=0.4)
            axis.axvline(0, color=GREY, linewidth=0.4)
        said = own.loc[check, ["estimate", "low", "high"]].to_numpy(dtype=float)
        r, low, high = (number(float(value)) for value in said)
        axis.set_title(f"{panel}\nr = {r} [{low}, {high}]")
        axis.set_xlabel(contrast.x)
    axes[0].set_ylabel(contrast.y)
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))
    return drawn
