"""The whole analysis of a run, as `study analyze` does it.

In: a run, by its folder or as a `Run`. Out: `tables/*.csv`, `tables/correlations.tex`,
`figures/*.pdf` and `figures/*.png` beside the study file, and a summary as text. Which tables and
figures are computed is up to the registries (analysis/tables, analysis/figures).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.data.inputs import Inputs
from analysis.data.items import load_items
from analysis.data.points import contrast_points
from analysis.data.runs import opened
from analysis.data.scores import Missing, contrasts_of, load_with_missing, with_clustered_errors
from analysis.report import agreement_text, correlations_text, latex, robustness_text
from analysis.tables import TABLES
from study.config.analysis import Contrast
from study.errors import listed
from study.results.files import write_whole
from study.results.run import Run

OnStep = Callable[[str], object]


@dataclass(frozen=True)
class Analysis:
    """The computed tables of a run."""

    inputs: Inputs
    "What they were computed from, and the tables themselves."
    notes: list[str]
    "What is missing, for the summary."


def analyze_run(run: str | Path | Run, *, on_step: OnStep = lambda step: None) -> str:
    """Compute and write all tables and figures of a run; return the summary.

    `on_step` is called with a description of each step. StudyError if the run has no scores, or no
    contrast with scores in both arms.
    """
    analysis = write_tables(run, on_step=on_step)
    on_step("drawing figures")
    figures = draw_figures(analysis)
    folder, tables = analysis.inputs.run.folder, analysis.inputs.tables
    texts = [
        correlations_text(tables["correlations"]),
        robustness_text(tables["robustness"]),
        agreement_text(tables["agreement"]),
    ]
    notes = [*analysis.notes, ""] if analysis.notes else []
    files = [f"tables:  {folder / 'tables'}"]
    files += [f"figure:  {path} (and .png)" for path in figures]
    return "\n".join([*filter(None, texts), *notes, *files])


def write_tables(run: str | Path | Run, *, on_step: OnStep = lambda step: None) -> Analysis:
    """Compute and write all tables of a run."""
    run = opened(run)
    on_step("reading the scores")
    scores, missing = load_with_missing(run)
    contrasts = _usable_contrasts(run, scores)
    on_step("reading item scores")
    items = load_items(run)
    scores = with_clustered_errors(scores, items)
    on_step(f"correlating {len(contrasts)} contrasts")
    inputs = Inputs(run, scores, items, contrasts, contrast=contrasts[0])
    folder = run.folder / "tables"
    write_csv(scores, folder / "scores.csv")
    for entry in TABLES:
        if entry.applies(inputs):
            table = entry.function(**inputs.arguments(entry.inputs))
            if len(table) or entry.write_empty:
                inputs.tables[entry.name] = table
                write_csv(table, folder / f"{entry.name}.csv")
    text = latex(inputs.tables["correlations"])
    write_whole(folder / "correlations.tex", text.encode())
    return Analysis(inputs, _notes(run, missing, contrasts))


def draw_figures(analysis: Analysis) -> list[Path]:
    """Draw and write all figures; return the path of each one's PDF."""
    from analysis.figures import FIGURES
    from analysis.figures.plot_style import save

    inputs, paths = analysis.inputs, []
    folder = inputs.run.folder / "figures"
    for entry in FIGURES:
        if not entry.applies(inputs):
            continue
        names = {entry.name: inputs}
        if entry.each_contrast:
            names = {f"{entry.name}_{c.name}": inputs.for_contrast(c) for c in inputs.contrasts}
        for name, inputs_of_figure in names.items():
            figure = entry.function(**inputs_of_figure.arguments(entry.inputs))
            paths.append(save(figure, folder / name)[0])
    return paths


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a data frame whole; an empty cell means unknown, and nothing is rounded."""
    write_whole(path, frame.to_csv(index=False, lineterminator="\n").encode())


def _usable_contrasts(run: Run, scores: pd.DataFrame) -> list[Contrast]:
    """The contrasts of which some pair has both arms on a task; StudyError if there are none."""
    contrasts = [c for c in contrasts_of(run) if _has_points(scores, c)]
    if not contrasts:
        arms = listed(set(scores["arm"]))
        raise run.study.error(
            "contrasts",
            found=f"no contrast with scores in both arms; there are scores of {arms}",
            expected="a contrast of two arms in which some pair has scores on the same task",
        )
    return contrasts


def _has_points(scores: pd.DataFrame, contrast: Contrast) -> bool:
    if not {contrast.x, contrast.y} <= set(scores["arm"]):
        return False
    return not contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task").empty


def _notes(run: Run, missing: Missing, contrasts: list[Contrast]) -> list[str]:
    notes = []
    if run.study.runs and not run.ledger.is_current:
        notes.append(
            "these scores have identity version 1, which does not hold everything that can move a "
            "score (see docs/identity.md): `study run` recomputes them"
        )
    if missing.cells:
        count = f"{missing.cells} of {missing.planned}"
        notes.append(f"{count} planned scores are missing: run the study again")
    for contrast in contrasts:
        arm = run.study.arm(contrast.x)
        control = any(c.x == f"{arm.role}-0shot" and c.y == contrast.y for c in contrasts)
        if arm.shots != 0 and not control:
            notes.append(f"{contrast.name} has no zero-shot control: add {arm.role}-0shot to arms")
    skipped = [c.name for c in run.study.contrasts if c not in contrasts]
    notes += [f"{name} skipped: no pair has scores of both arms on a task" for name in skipped]
    return notes
