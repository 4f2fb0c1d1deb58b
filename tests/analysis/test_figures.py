"""Figures' data halves are exact, their drawing halves draw."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.families import Families
from analysis.data.points import contrast_points
from analysis.figures.controls import controls, controls_data
from analysis.figures.families_apart import families_apart, families_apart_data
from analysis.figures.forest import forest, forest_data
from analysis.figures.heat_map import heat_map, heat_map_data
from analysis.figures.item_overlap import item_overlap, item_overlap_data
from analysis.figures.left_out import left_out, left_out_data
from analysis.figures.plot_style import COLOURS, looks, save
from analysis.figures.power_curves import power_curves, power_data
from analysis.figures.scatter import scatter_by_type, scatter_data
from analysis.figures.shots import shots, shots_data
from analysis.figures.which_correlation import which_correlation, which_correlation_data
from analysis.report import number
from analysis.statistics.correlation.partial import within_between
from analysis.tables.agreement import overlap
from analysis.tables.correlations import correlations
from analysis.tables.robustness.checks import robustness
from study.config.analysis import Contrast
from tests.analysis.conftest import CONTRASTS, X, Y


def test_scatter(scores: pd.DataFrame) -> None:
    points, found = scatter_data(scores, x_arm=X, y_arm=Y)
    expected = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    pd.testing.assert_frame_equal(points, expected)
    assert list(found) == ["facts", "strings"]
    drawn = scatter_by_type(scores, x_arm=X, y_arm=Y, width_mm=174)
    assert drawn.get_size_inches()[0] == pytest.approx(174 / 25.4)
    titles = [axis.get_title() for axis in drawn.axes]
    assert titles[0].startswith("facts\nr = ")


def test_the_latent_line_is_steeper_than_the_noisy_one(scores: pd.DataFrame) -> None:
    """Error in x flattens the least-squares line; without it there is none to take away."""
    noisy = scores.assign(stderr=0.02)
    points, found = scatter_data(noisy, x_arm=X, y_arm=Y)
    own = points[points["task_type"] == "facts"]
    least_squares = np.polyfit(own["x"], own["y"], 1)[0]
    line = found["facts"].line
    assert line is not None
    assert line.slope > least_squares
    exact = scatter_data(scores.assign(stderr=0.0), x_arm=X, y_arm=Y)[1]["facts"].line
    assert exact is not None
    assert exact.slope == pytest.approx(least_squares, rel=1e-3)
    drawn = scatter_by_type(noisy, x_arm=X, y_arm=Y)
    assert len([a for a in drawn.axes[0].lines if a.get_color() == "black"]) == 1
    unknown = scatter_data(scores.assign(stderr=math.nan), x_arm=X, y_arm=Y)[1]
    assert unknown["facts"].line is None


def test_families_apart(scores: pd.DataFrame) -> None:
    data = families_apart_data(scores, x_arm=X, y_arm=Y)
    sizes = data.groupby("panel", sort=False).size()
    assert dict(sizes) == {"all pairs": 12, "means of families": 5, "within families": 12}
    points = contrast_points(scores, x_arm=X, y_arm=Y, level="overall")
    found = within_between(points["x"], points["y"], Families.of(list(points["family"])))
    for panel, expected in zip(sizes.index, (found.pooled, found.between, found.within),
                               strict=True):  # fmt: skip
        own = data[data["panel"] == panel]
        assert np.corrcoef(own["x"], own["y"])[0, 1] == pytest.approx(expected)
    drawn = families_apart(scores, robustness(scores, CONTRASTS), CONTRASTS[0])
    shown = [axis.get_title().split("r = ")[1].split()[0] for axis in drawn.axes]
    expected = [number(r) for r in (found.pooled, found.between, found.within)]
    assert shown == expected


def test_shots(scores: pd.DataFrame) -> None:
    data = shots_data(scores, CONTRASTS[0])
    assert list(data["label"].unique()) == ["all tasks", "facts", "strings"]
    assert list(data["shots"]) == [0, 5] * 3
    frame = correlations(scores, CONTRASTS)
    frame = frame[(frame["coefficient"] == "pearson") & (frame["corrected"] == "none")]
    frame = frame[frame["estimand"] == "across_pairs"]
    for _, row in data.iterrows():
        kind = "" if row["label"] == "all tasks" else row["label"]
        same = frame[(frame["x_arm"] == row["arm"]) & (frame["task_type"] == kind)]
        same = same[same["level"] != "task"].iloc[0]
        assert (row["estimate"], row["low"]) == (same["estimate"], same["low"])
    assert len(shots(scores, CONTRASTS[0]).axes) == 1


def test_which_correlation(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    table = which_correlation_data(frame, contrast="in-context")
    assert list(table.index) == ["all tasks", "facts", "strings"]
    assert table.columns[0] == "across pairs"
    assert table.loc["facts", "double centred"] != table.loc["facts", "double centred"]
    assert table.loc["all tasks"].drop("across pairs, corrected").notna().all()
    drawn = which_correlation(frame, contrast="in-context")
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert texts == [number(float(value)) for value in table.to_numpy().ravel()]


def test_forest(scores: pd.DataFrame) -> None:
    frame = correlations(scores, CONTRASTS)
    data = forest_data(frame)
    assert list(dict.fromkeys(data["label"])) == ["all tasks", "facts", "strings"]
    assert data["place"].is_monotonic_increasing
    assert len(data) == 6
    row = data[(data["label"] == "facts") & (data["contrast"] == "zero-shot")].iloc[0]
    same = frame[
        (frame["contrast"] == "zero-shot")
        & (frame["task_type"] == "facts")
        & (frame["level"] == "type")
        & (frame["coefficient"] == "pearson")
    ].iloc[0]
    assert tuple(row[["estimate", "low", "high"]]) == tuple(same[["estimate", "low", "high"]])
    assert len(forest(frame).axes) == 1


def test_heat_map(scores: pd.DataFrame) -> None:
    table = heat_map_data(scores, arm=Y)
    assert table.shape == (4, 12)
    own = scores[(scores["arm"] == Y) & (scores["pair"] == "p7") & (scores["task"] == "b")]
    expected = (own["score"].iloc[0] - 0.5) / 0.5
    assert table.loc[("strings", "b"), "p7"] == pytest.approx(expected, rel=1e-12)
    assert len(heat_map(scores, arms=[X, Y]).axes) == 3


def test_figures_of_what_remains(scores: pd.DataFrame) -> None:
    table = robustness(scores, CONTRASTS)
    data = controls_data(table)
    assert list(data["check"]) == 2 * ["as measured", "given size", "within families"]
    first = table[(table["contrast"] == "in-context") & (table["check"] == "given size")].iloc[0]
    assert data.loc[1, "estimate"] == first["estimate"]
    assert len(controls(table).axes) == 1
    families = left_out_data(table, contrast="in-context")
    assert set(families["family"]) == {f"f{i}" for i in range(5)}
    assert families["estimate"].is_monotonic_increasing
    drawn = left_out(table, contrast="in-context")
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == list(
        families["family"]
    )


def test_figure_of_item_overlap() -> None:
    from tests.analysis.test_overlap import CONTRAST, made, right

    table = overlap(*_with_contrast(made({X: right(1, 3, 1, 50), Y: right(2, 3, 1, 50)}), CONTRAST))
    data = item_overlap_data(table, contrast="icl")
    assert list(dict.fromkeys(data["group"])) == ["all tasks", "facts", "exposure: seen_task"]
    bars = item_overlap(table, contrast="icl").axes[0].patches
    widths = sorted(bar.get_width() for bar in bars)
    assert widths == pytest.approx(sorted(data["estimate"]))


def _with_contrast(pair: Any, contrast: Contrast) -> tuple[Any, list[Contrast], Any]:
    return pair[0], [contrast], pair[1]


def test_power_curves() -> None:
    families = Families.of([f"f{i // 3}" for i in range(30)])
    data = power_data(families, items=500)
    for _, rows in data.groupby("r"):
        assert rows["power"].dropna().is_monotonic_increasing
    assert len(power_curves(families, items=500).axes[0].lines) == 2 + 4


def test_many_families_look_different() -> None:
    families = [f"f{i}" for i in range(72)]
    assert len(set(looks(families).values())) == 72
    assert len(set(COLOURS)) == 8


def test_saved_figures_are_whole_and_the_same_again(scores: pd.DataFrame, tmp_path: Path) -> None:
    frame = correlations(scores, CONTRASTS)
    first = [path.read_bytes() for path in save(forest(frame), tmp_path / "one")]
    second = [path.read_bytes() for path in save(forest(frame), tmp_path / "two")]
    assert first == second
    assert first[0].startswith(b"%PDF")
    from matplotlib.image import imread

    assert imread(io.BytesIO(first[1])).std() > 0.01
