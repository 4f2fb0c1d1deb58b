"""Scatter plots: points, latent lines, panels."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.data.points import contrast_points
from analysis.figures.scatter import scatter_by_type, scatter_data
from tests.analysis.samples import (
    X,
    Y,
)


def test_scatter(scores: pd.DataFrame) -> None:
    points, panels = scatter_data(scores, x_arm=X, y_arm=Y)
    expected = contrast_points(scores, x_arm=X, y_arm=Y, level="type")
    pd.testing.assert_frame_equal(points, expected)
    assert list(panels) == ["facts", "strings"]
    figure = scatter_by_type(scores, x_arm=X, y_arm=Y, width_mm=174)
    assert figure.get_size_inches()[0] == pytest.approx(174 / 25.4)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[0].startswith("facts\nr = ")


def test_the_latent_line_is_steeper_than_the_noisy_one(scores: pd.DataFrame) -> None:
    """Error in x flattens the least-squares line; without it there is none to take away."""
    noisy = scores.assign(stderr=0.02)
    points, panels = scatter_data(noisy, x_arm=X, y_arm=Y)
    shown = points[points["task_type"] == "facts"]
    least_squares = np.polyfit(shown["x"], shown["y"], 1)[0]
    line = panels["facts"].line
    assert line is not None
    assert line.slope > least_squares
    exact = scatter_data(scores.assign(stderr=0.0), x_arm=X, y_arm=Y)[1]["facts"].line
    assert exact is not None
    assert exact.slope == pytest.approx(least_squares, rel=1e-3)
    figure = scatter_by_type(noisy, x_arm=X, y_arm=Y)
    assert len([a for a in figure.axes[0].lines if a.get_color() == "black"]) == 1
    unknown = scatter_data(scores.assign(stderr=math.nan), x_arm=X, y_arm=Y)[1]
    assert unknown["facts"].line is None
