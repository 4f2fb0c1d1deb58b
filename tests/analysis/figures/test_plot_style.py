"""Styles of families, files of figures, and given Axes."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from analysis.figures.forest import forest
from analysis.figures.plot_style import COLOURS, family_styles, save
from analysis.tables.correlations import correlations
from tests.analysis.samples import (
    CONTRASTS,
)


def test_many_families_look_different() -> None:
    families = [f"f{i}" for i in range(72)]
    assert len(set(family_styles(families).values())) == 72
    assert len(set(COLOURS)) == 8


def test_saved_figures_are_reproducible(scores: pd.DataFrame, tmp_path: Path) -> None:
    frame = correlations(scores, CONTRASTS)
    first = [path.read_bytes() for path in save(forest(frame), tmp_path / "one")]
    second = [path.read_bytes() for path in save(forest(frame), tmp_path / "two")]
    assert first == second
    assert first[0].startswith(b"%PDF")
    from matplotlib.image import imread

    assert imread(io.BytesIO(first[1])).std() > 0.01
