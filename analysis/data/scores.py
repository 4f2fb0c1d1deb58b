"""The tidy frame of a run's scores, and its contrasts.

In: a run's folder, with `results/` as the study layer left it. Out: a data frame with the columns
of `contract.SCORES`, one row per (pair, role, arm, task, draw). Every cell's files are checked
against the digests that were written with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from study.config.analysis import Contrast
from study.config.arms import parse_arm
from study.config.study import Study, read_study, study_file
from study.errors import StudyError
from study.results.cell_store.store import Cells
from study.results.imported import check_unique, read_imports
from study.results.ledger import read_ledger
from study.results.schema import SCORES

SOURCE = "study"
"What `source` says of scores that this run computed itself."


@dataclass(frozen=True)
class Missing:
    """Cells that the plan has and the results lack."""

    cells: int
    planned: int


def load_scores(run: str | Path) -> pd.DataFrame:
    """The scores of a run's finished cells; StudyError if there are none, or some are damaged."""
    scores, _ = load_with_missing(Path(run))
    return scores


def load_with_missing(run: Path) -> tuple[pd.DataFrame, Missing]:
    """The scores, computed and imported, and how many of the planned cells are not there."""
    study = read_study(run)
    tables = [imported.rows for imported in read_imports(run)]
    missing = Missing(0, 0)
    if study.runs:
        own, missing = _computed(run, study)
        tables += [own] if len(own) else []
    if not tables:
        how = f"`study run {run}`" if study.runs else f"`study import {run} FILE`"
        raise StudyError(run, found="no scores", expected="a finished cell or an import at least",
                         do=f"Run {how}")  # fmt: skip
    check_unique([table.assign(_origin=f"{run}") for table in tables])
    return pd.concat(tables, ignore_index=True).astype(SCORES), missing


def _computed(run: Path, study: Study) -> tuple[pd.DataFrame, Missing]:
    ledger = read_ledger(run)
    if ledger["study"] != study.digest():
        raise StudyError(
            study_file(run),
            found="a study that has changed since it was last run",
            expected="the one whose results are there",
            do=f"Run `study run {run}` again: only what the change affects is computed",
        )
    cells = Cells(run)
    done = cells.done()
    record = cache(cells.record)
    rows = []
    for row in ledger["rows"]:
        if row["key"] in done:
            result = record(row["key"])
            measured = {name: result[name] for name in ("score", "stderr", "n_items")}
            rows.append({**row, **measured, "source": SOURCE})
    missing = Missing(len(ledger["rows"]) - len(rows), len(ledger["rows"]))
    return pd.DataFrame(rows, columns=list(SCORES)).astype(SCORES), missing


def contrasts_of(run: str | Path) -> list[Contrast]:
    """The study's contrasts, each with its zero-shot control.

    A prediction that the base model makes without demonstrations as well proves nothing about
    demonstrations, so a contrast with demonstrations on its horizontal axis brings its control
    with it where the zero-shot arm is there.
    """
    run = Path(run)
    study = read_study(run)
    arms = set(study.arm_names())
    for imported in read_imports(run):
        arms |= set(imported.rows["arm"])
    contrasts = list(study.contrasts)
    for contrast in study.contrasts:
        arm = parse_arm(contrast.x)
        control = f"{arm.role}-0shot"
        there = any(c.x == control and c.y == contrast.y for c in contrasts)
        if arm.shots and not there and control in arms:
            contrasts.append(Contrast(name=f"{contrast.name}-control", x=control, y=contrast.y))
    return contrasts
