"""How figures look: sizes of a paper's column, colours that the colour-blind can tell apart.

In: nothing. Out: constants, `figure`, `in_style`, `save`. Colours are Okabe & Ito's (2008).
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.results.files import write_whole

COLUMN_MM, PAGE_MM = 85.0, 174.0
"Width of one column, and of the text of a page, mm."
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
GREY = "#7f7f7f"
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
    "pdf.fonttype": 42,
    "svg.hashsalt": "figures",
}


Drawing = TypeVar("Drawing", bound=Callable[..., Figure])


def in_style(draw: Drawing) -> Drawing:
    """Makes a drawing function use this style for everything it puts on its axes."""

    @functools.wraps(draw)
    def styled(*arguments: Any, **named: Any) -> Figure:
        with matplotlib.rc_context(_RC):
            return draw(*arguments, **named)

    return cast(Drawing, styled)


def figure(
    width_mm: float, height_mm: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """An empty figure of that size and its axes, row by row; it belongs to no window."""
    made = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout="constrained")
    axes = made.subplots(rows, columns, squeeze=False)
    return made, list(axes.flat)


def looks(families: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A (colour, marker) for each family: colours first, then the next marker."""
    names = sorted(set(families))
    return {
        name: (COLOURS[i % len(COLOURS)], MARKERS[(i // len(COLOURS)) % len(MARKERS)])
        if len(names) > len(COLOURS)
        else (COLOURS[i], MARKERS[i])
        for i, name in enumerate(names)
    }


def save(drawn: Figure, path: Path) -> list[Path]:
    """Writes `path` as PDF and as PNG (300 dots an inch), each whole and without a date."""
    written = []
    for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
        buffer = io.BytesIO()
        with matplotlib.rc_context(_RC):
            drawn.savefig(buffer, format=suffix[1:], dpi=300, metadata=metadata)
        written.append(path.with_suffix(suffix))
        write_whole(written[-1], buffer.getvalue())
    return written
