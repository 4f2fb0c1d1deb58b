"""The whole analysis of a run, as `study analyze` does it.

In: a run's folder. Out: `tables/scores.csv`, `tables/correlations.csv`, `tables/correlations.tex`,
`figures/*.pdf` and `*.png` beside the study file, and a summary in words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis.estimates import correlations
from analysis.frame import contrasts_of, load_with_missing
from analysis.items import load_items
from analysis.tables import latex, summary, write_csv
from study.arms import parse_arm
from study.design import Contrast
from study.store import write_whole


def analyze_run(run: str | Path, *, on_step: Callable[[str], object] = lambda what: None) -> str:
    """Computes and writes everything; returns the summary."""
    run = Path(run)
    on_step("reading the finished cells")
    scores, missing = load_with_missing(run)
    contrasts = contrasts_of(run)
    on_step(f"correlating {len(contrasts)} contrasts")
    contrasts = [c for c in contrasts if {c.x, c.y} <= set(scores["arm"])]
    frame = correlations(scores, contrasts, items=load_items(run))
    write_csv(scores, run / "tables" / "scores.csv")
    write_csv(frame, run / "tables" / "correlations.csv")
    write_whole(run / "tables" / "correlations.tex", latex(frame).encode())
    on_step("drawing figures")
    drawn = draw_figures(run, scores, frame, contrasts)
    return "\n".join([summary(frame), *_notes(missing.cells, missing.planned, contrasts), *drawn])


def draw_figures(
    run: Path, scores: pd.DataFrame, frame: pd.DataFrame, contrasts: list[Contrast]
) -> list[str]:
    """Draws every figure; returns a line for each."""
    from analysis.figures.forest import forest
    from analysis.figures.heat_map import heat_map
    from analysis.figures.scatter import scatter_by_type
    from analysis.figures.style import save

    folder = run / "figures"
    figures = {
        f"scatter_{contrast.name}": scatter_by_type(scores, x_arm=contrast.x, y_arm=contrast.y)
        for contrast in contrasts
    }
    figures["forest"] = forest(frame)
    figures["heat_map"] = heat_map(scores, arms=list(dict.fromkeys(scores["arm"])))
    lines = [f"tables:  {run / 'tables'}"]
    for name, drawn in figures.items():
        paths = save(drawn, folder / name)
        lines.append(f"figure:  {paths[0]} (and .png)")
    return lines


def _notes(missing: int, planned: int, contrasts: list[Contrast]) -> list[str]:
    notes = []
    if missing:
        notes.append(f"{missing} of {planned} planned scores are missing: run the study again")
    for contrast in contrasts:
        arm = parse_arm(contrast.x)
        control = any(c.x == f"{arm.role}-0shot" and c.y == contrast.y for c in contrasts)
        if arm.shots and not control:
            notes.append(f"{contrast.name} has no zero-shot control: add {arm.role}-0shot to arms")
    return [*notes, ""] if notes else []
