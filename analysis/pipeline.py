"""The whole analysis of a run, as `study analyze` does it.

In: a run's folder. Out: `tables/*.csv` and `correlations.tex`, `figures/*.pdf` and `*.png`, all
beside the study file, and a summary in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.data.items import ItemScores, load_items
from analysis.data.points import contrast_points
from analysis.data.scores import contrasts_of, load_with_missing
from analysis.report import latex, summary, write_csv
from analysis.statistics.items.clustered_errors import with_clustered_errors
from analysis.tables.agreement import overlap, overlap_text
from analysis.tables.cell_model import cell_models
from analysis.tables.correlations import correlations
from analysis.tables.exposures import exposures
from analysis.tables.intervals import intervals_beside
from analysis.tables.reliability import reliabilities
from analysis.tables.robustness.checks import robustness, robustness_text
from analysis.tables.summaries import summaries
from analysis.tables.tuning.recipe_gains import recipe_gains
from analysis.tables.tuning.self_written import written
from analysis.tables.tuning.tuned_models import loss_curves, tuned_models, turn_scores
from study.config.analysis import Comparison, Contrast
from study.config.arms import parse_arm
from study.config.study import read_study, study_file
from study.errors import StudyError, listed
from study.results.files import write_whole


@dataclass(frozen=True)
class Analysis:
    """What was computed of a run."""

    tables: dict[str, pd.DataFrame]
    "By name, as they were written."
    contrasts: list[Contrast]
    "Those of which both arms have scores."
    items: ItemScores
    notes: list[str]
    "What is lacking, in words."


def analyze_run(run: str | Path, *, on_step: Callable[[str], object] = lambda what: None) -> str:
    """Computes and writes everything; returns the summary."""
    done = write_tables(Path(run), on_step=on_step)
    on_step("drawing figures")
    drawn = draw_figures(Path(run), done)
    spaced = [*done.notes, ""] if done.notes else []
    said = [
        summary(done.tables["correlations"]),
        robustness_text(done.tables["robustness"]),
        overlap_text(done.tables["agreement"]),
    ]
    return "\n".join([*filter(None, said), *spaced, *drawn])


def write_tables(run: Path, *, on_step: Callable[[str], object] = lambda what: None) -> Analysis:
    """Computes and writes all tables."""
    on_step("reading the scores")
    scores, missing = load_with_missing(run)
    asked = contrasts_of(run)
    contrasts = [c for c in asked if not points_of(scores, c).empty]
    if not contrasts:
        raise StudyError(
            study_file(run),
            "contrasts",
            found=f"none of whose arms both have scores; there are {listed(set(scores['arm']))}",
            expected="a contrast of two of them, in which pairs have both on a task",
        )
    on_step("reading item scores")
    items = load_items(run)
    scores = with_clustered_errors(scores, items)
    on_step(f"correlating {len(contrasts)} contrasts")
    study = read_study(run)
    choices = study.analysis
    frame = correlations(scores, contrasts, items=items, multiplicity=choices.multiplicity)
    tables = {
        "scores": scores,
        "correlations": frame,
        "robustness": robustness(scores, contrasts, bound=choices.equivalence_bound),
        "agreement": overlap(scores, contrasts, items),
        "summaries": summaries(scores, contrasts),
        "exposures": exposures(scores, contrasts),
        "cell_model": cell_models(scores, contrasts, items=items),
        "reliability": reliabilities(items),
    }
    if study.tuning.recipes:
        tables |= _of_recipes(run, scores, choices.recipes)
    if choices.beside:
        tables["intervals"] = intervals_beside(scores, contrasts, kinds=choices.beside)
    for name, table in tables.items():
        write_csv(table, run / "tables" / f"{name}.csv")
    write_whole(run / "tables" / "correlations.tex", latex(frame).encode())
    notes = _notes(missing.cells, missing.planned, contrasts)
    empty = [c.name for c in study_contrasts(run) if c not in contrasts]
    notes += [f"{name}: no pair has both arms on a task; left out" for name in empty]
    return Analysis(tables, contrasts, items, notes)


def _of_recipes(
    run: Path, scores: pd.DataFrame, comparisons: list[Comparison]
) -> dict[str, pd.DataFrame]:
    """Tables that only studies have which tune their models."""
    tables = {"tuning": tuned_models(run)}
    if len(texts := written(run)):
        tables["written"] = texts
    if len(turns := turn_scores(run)):
        tables["turn_scores"] = turns
    for comparison in comparisons:
        values = sorted(set(tables["tuning"][comparison.axis].astype(str)))
        if comparison.baseline not in values:
            raise StudyError(study_file(run), f"analysis.recipes: {comparison.axis}",
                             found=repr(comparison.baseline),
                             expected=f"one of the tuned models': {listed(values)}")  # fmt: skip
    if comparisons:
        tables["recipe_gains"] = recipe_gains(scores, tables["tuning"], comparisons)
    return tables


def study_contrasts(run: Path) -> list[Contrast]:
    """The contrasts that the study file itself declares."""
    return list(read_study(run).contrasts)


def points_of(scores: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """The contrast's points by task; empty where an arm has no scores."""
    if not {contrast.x, contrast.y} <= set(scores["arm"]):
        return pd.DataFrame()
    return contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task")


def draw_figures(run: Path, done: Analysis) -> list[str]:
    """Draws every figure; returns a line for each."""
    from analysis.figures.controls import controls
    from analysis.figures.families_apart import families_apart
    from analysis.figures.forest import forest
    from analysis.figures.gains import gains
    from analysis.figures.heat_map import heat_map
    from analysis.figures.item_overlap import item_overlap
    from analysis.figures.left_out import left_out
    from analysis.figures.losses import losses
    from analysis.figures.plot_style import save
    from analysis.figures.scatter import scatter_by_type
    from analysis.figures.shots import shots
    from analysis.figures.which_correlation import which_correlation

    tables, contrasts, items = done.tables, done.contrasts, done.items
    scores, checks, main = tables["scores"], tables["robustness"], contrasts[0]
    figures = {
        f"scatter_{contrast.name}": scatter_by_type(
            scores, x_arm=contrast.x, y_arm=contrast.y, items=items
        )
        for contrast in contrasts
    }
    figures["forest"] = forest(tables["correlations"])
    figures["heat_map"] = heat_map(scores, arms=list(dict.fromkeys(scores["arm"])))
    figures["controls"] = controls(checks)
    figures["families_apart"] = families_apart(scores, checks, main)
    figures["left_out"] = left_out(checks, contrast=main.name)
    figures["which_correlation"] = which_correlation(tables["correlations"], contrast=main.name)
    figures["shots"] = shots(scores, main)
    if "tuning" in tables:
        figures["losses"] = losses(loss_curves(run), tables["tuning"])
    if "recipe_gains" in tables:
        figures["recipe_gains"] = gains(tables["recipe_gains"])
    if len(tables["agreement"]):
        figures["item_overlap"] = item_overlap(tables["agreement"], contrast=main.name)
    lines = [f"tables:  {run / 'tables'}"]
    for name, drawn in figures.items():
        paths = save(drawn, run / "figures" / name)
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
    return notes
