"""The style of all figures: sizes of a paper's columns, colours, fonts, and how files are written.

In: nothing. Out: constants, `canvas`, `add_legend`, `in_style`, `save`. Colours are those of Okabe
& Ito (2008), which colour-blind readers can tell apart.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import matplotlib
from fontTools import subset
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.results.files import write_whole

COLUMN_MM, PAGE_MM = 85.0, 174.0
"Widths of one column and of the text of a page, mm."
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
GREY = "#7f7f7f"
MISSING = "#cccccc"
"Colour of a missing value in a heat map."
DPI = 300
LAYOUTS = 2
"How often a layout is computed: the first one decides about ticks, which move the others."
LAYOUT_TABLES = ("GDEF", "GPOS", "GSUB", "kern")
"Tables of a font that say how its text is laid out."
_RC: dict[Any, Any] = {
    "font.size": 7.0,
    "font.family": "DejaVu Sans",
    "axes.labelsize": 7.0,
    "axes.titlesize": 7.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.0,
    "ytick.labelsize": 6.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.0,
    "legend.frameon": False,
    "lines.linewidth": 0.8,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "figures",
    "text.parse_math": False,  # a dollar sign in a name is one
}
PanelAxes = Axes | Sequence[Axes] | None
"Where to draw: given Axes, or a new figure."


Drawing = TypeVar("Drawing", bound=Callable[..., Figure])


def in_style(draw: Drawing) -> Drawing:
    """Decorate a figure function so that everything it draws has this style."""

    @functools.wraps(draw)
    def styled(*arguments: Any, **keywords: Any) -> Figure:
        with matplotlib.rc_context(_RC):
            return draw(*arguments, **keywords)

    return cast(Drawing, styled)


def canvas(
    axes: PanelAxes, *, width_mm: float, height_mm: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return the figure and the Axes to draw on, row by row.

    Without `axes` these are those of a new figure of the given size, which belongs to no window.
    ValueError if the given `axes` are fewer than `rows` times `columns`.
    """
    if axes is None:
        new = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout="constrained")
        return new, list(new.subplots(rows, columns, squeeze=False).flat)
    given = [axes] if isinstance(axes, Axes) else list(axes)
    if len(given) < rows * columns:
        raise ValueError(f"axes must hold {rows * columns} Axes; found {len(given)}")
    figure = given[0].get_figure(root=True)
    if figure is None:
        raise ValueError("axes must belong to a figure; found Axes without one")
    return figure, given


def add_legend(figure: Figure, axes: Sequence[Axes], given: PanelAxes, **keywords: Any) -> None:
    """Add a legend: outside the panels of a new figure, within the first of given Axes.

    `keywords` are those of `Figure.legend`.
    """
    if given is None:
        figure.legend(**keywords)
    else:
        keywords.pop("loc")
        axes[0].legend(**keywords)


def family_styles(families: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A (colour, marker) for each family: all colours with one marker, then the next marker."""
    names = sorted(set(families))
    return {
        name: (COLOURS[i % len(COLOURS)], MARKERS[(i // len(COLOURS)) % len(MARKERS)])
        if len(names) > len(COLOURS)
        else (COLOURS[i], MARKERS[i])
        for i, name in enumerate(names)
    }


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PDF and as PNG (300 dots per inch), without dates, and return the paths.

    `path` has no suffix. Each file is written whole. Both have one layout, that of the PNG.
    """
    paths = []
    metadata = {".pdf": {"CreationDate": None}, ".png": {"Software": None}}
    with matplotlib.rc_context(_RC), _small_embedded_fonts(), _laid_out(figure):
        for suffix, values in metadata.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata=values)
            paths.append(path.with_suffix(suffix))
            write_whole(paths[-1], buffer.getvalue())
    return paths


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Place a figure's parts, and keep them there while it is drawn.

    Otherwise every file is laid out anew, which takes longer than to draw it.
    """
    engine, dpi = figure.get_layout_engine(), figure.dpi
    if engine is None:
        yield
        return
    FigureCanvasAgg(figure)  # measures texts as the PNG draws them
    figure.set_dpi(DPI)
    for _ in range(LAYOUTS):
        engine.execute(figure)
    figure.set_dpi(dpi)
    figure.set_layout_engine(None)  # any other, "none" too, draws each file twice
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


@contextmanager
def _small_embedded_fonts() -> Iterator[None]:
    """Embed fonts in PDFs without the tables by which text is laid out.

    The text of a PDF is laid out already, and to reduce these tables to the characters in use takes
    most of the time of embedding a font.
    """
    options = subset.Options
    dropped = [*options().drop_tables, *LAYOUT_TABLES]
    subset.Options = functools.partial(options, drop_tables=dropped)
    try:
        yield
    finally:
        subset.Options = options
