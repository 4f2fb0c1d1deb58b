"""Styles of families, files of figures, and given Axes."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pandas as pd
import pytest
from fontTools.ttLib import TTFont
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from analysis.figures.controls import controls
from analysis.figures.forest import forest
from analysis.figures.plot_style import (
    COLOURS,
    DPI,
    LAYOUT_TABLES,
    canvas,
    family_styles,
    in_style,
    save,
)


def test_many_families_look_different() -> None:
    families = [f"f{i}" for i in range(72)]
    assert len(set(family_styles(families).values())) == 72
    assert len(set(COLOURS)) == 8


def test_saved_figures_are_reproducible(correlation_table: pd.DataFrame, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save(forest(correlation_table), tmp_path / "one")]
    second = [path.read_bytes() for path in save(forest(correlation_table), tmp_path / "two")]
    assert first == second
    assert first[0].startswith(b"%PDF")
    assert imread(io.BytesIO(first[1])).std() > 0.01


def test_both_files_have_one_layout_and_fonts_are_embedded(
    correlation_table: pd.DataFrame, tmp_path: Path
) -> None:
    figure = forest(correlation_table)
    engine, dpi = figure.get_layout_engine(), figure.dpi
    pdf, _ = save(figure, tmp_path / "figure")
    placed = figure.axes[0].get_position()
    figure.savefig(io.BytesIO(), format="png", dpi=DPI)
    assert figure.axes[0].get_position().bounds == pytest.approx(placed.bounds, abs=1e-3)
    assert (figure.get_layout_engine(), figure.dpi) == (engine, dpi)

    content = pdf.read_bytes()
    assert b"/FontFile2" in content  # TrueType, with the characters that the texts consist of
    assert b"/ToUnicode" in content
    streams = [
        zlib.decompress(part.split(b"endstream")[0].strip(b"\r\n"))
        for part in content.split(b"stream\n")[1:]
        if part.startswith(b"x")
    ]
    fonts = [TTFont(io.BytesIO(s)) for s in streams if s.startswith(b"\x00\x01\x00\x00")]
    assert fonts
    assert all({"glyf", "hmtx", "cmap"} <= set(font.keys()) for font in fonts)
    assert not any(set(LAYOUT_TABLES) & set(font.keys()) for font in fonts)


def test_each_file_is_drawn_once(tmp_path: Path) -> None:
    class Counted(Line2D):
        drawn = 0

        def draw(self, renderer: RendererBase) -> None:
            self.drawn += 1
            super().draw(renderer)

    figure, (axis,) = canvas(None, width_mm=40, height_mm=40)
    line = Counted([0, 1], [0, 1])
    axis.add_line(line)
    files = save(figure, tmp_path / "figure")
    assert line.drawn == len(files) == 2


def test_panels_can_be_composed(
    correlation_table: pd.DataFrame, robustness_table: pd.DataFrame
) -> None:
    page = Figure()
    left, right = page.subplots(1, 2)
    assert forest(correlation_table, axes=left) is page
    assert controls(robustness_table, axes=right) is page
    assert page.axes == [left, right]
    assert [axis.get_legend() is not None for axis in page.axes] == [True, True]


def test_too_few_axes_are_an_error() -> None:
    axes = Figure().subplots(1, 2)
    with pytest.raises(ValueError, match="axes must hold 3 Axes; found 2"):
        canvas(list(axes), width_mm=85, height_mm=60, columns=3)


def test_dollar_signs_in_names_are_printed(tmp_path: Path) -> None:
    @in_style
    def draw() -> Figure:
        figure, (axis,) = canvas(None, width_mm=50, height_mm=50)
        axis.set_yticks([0.5], [r"a$\frac$b"])
        axis.set_title("$1^{$")
        return figure

    assert all(path.stat().st_size for path in save(draw(), tmp_path / "figure"))
