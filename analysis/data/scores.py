"""The tidy frame of a run's scores, and the run's contrasts.

In: a run, by its folder or as a `Run`. Out: a data frame with the columns of
`study.results.schema.SCORES`, one row per (pair, role, arm, task, draw). Every cell's files are
checked against the digests that were written with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from analysis.data.items import ItemScores
from analysis.data.runs import opened
from analysis.statistics.items.clustered_errors import standard_error
from study.config.analysis import Contrast
from study.errors import StudyError
from study.results.imported import check_unique
from study.results.run import Run
from study.results.schema import SCORES

COMPUTED = "study"
"The `source` of scores that the run computed itself."


@dataclass(frozen=True)
class Missing:
    """How many planned scores the results lack."""

    cells: int
    planned: int


def load_scores(run: str | Path | Run) -> pd.DataFrame:
    """Load the scores of a run's finished cells and imports.

    StudyError if there are none, or if a file is corrupted.
    """
    scores, _ = load_with_missing(run)
    return scores


def load_with_missing(run: str | Path | Run) -> tuple[pd.DataFrame, Missing]:
    """Load the scores, computed and imported, and count the planned scores that are missing."""
    run = opened(run)
    tables = [imported.rows.assign(_origin=imported.origin) for imported in run.imports]
    missing = Missing(0, 0)
    if run.study.runs:
        computed, missing = _computed(run)
        tables += [computed.assign(_origin=str(run.folder))] if len(computed) else []
    if not tables:
        folder = run.folder
        command = f"`study run {folder}`" if run.study.runs else f"`study import {folder} FILE`"
        raise StudyError(
            folder,
            found="no scores",
            expected="at least one finished cell or import",
            do=f"Run {command}",
        )
    check_unique(tables)
    scores = pd.concat(tables, ignore_index=True).drop(columns="_origin")
    return scores.astype(SCORES), missing


def _computed(run: Run) -> tuple[pd.DataFrame, Missing]:
    """Scores of finished cells, in the order of the ledger."""
    if run.ledger.is_current and run.ledger.study != run.study.digest():
        raise StudyError(
            run.study.file,
            found="a study that has changed since it was last run",
            expected="the study whose results are stored",
            do=f"Run `study run {run.folder}` again: only what the change affects is computed",
        )
    done = run.cells.done()
    record_of = cache(run.cells.record)
    rows = []
    for row in run.ledger.rows:
        if row["key"] in done:
            record = record_of(row["key"])
            measured = {name: record[name] for name in ("score", "stderr", "n_items")}
            rows.append({**row, **measured, "source": COMPUTED})
    planned = len(run.ledger.rows)
    missing = Missing(planned - len(rows), planned)
    return pd.DataFrame(rows, columns=list(SCORES)).astype(SCORES), missing


def contrasts_of(run: str | Path | Run) -> list[Contrast]:
    """Return the study's contrasts, each with its zero-shot control.

    A base model that predicts the tuned model without demonstrations as well says nothing about
    demonstrations, so a contrast whose x arm has demonstrations is followed by its control, named
    `<contrast>-control`, wherever the zero-shot arm exists.
    """
    run = opened(run)
    arms = set(run.study.arm_names())
    for imported in run.imports:
        arms |= set(imported.rows["arm"])
    contrasts = list(run.study.contrasts)
    for contrast in run.study.contrasts:
        arm = run.study.arm(contrast.x)
        control = f"{arm.role}-0shot"
        exists = any(c.x == control and c.y == contrast.y for c in contrasts)
        if arm.shots != 0 and not exists and control in arms:
            contrasts.append(Contrast(name=f"{contrast.name}-control", x=control, y=contrast.y))
    return contrasts


def with_clustered_errors(scores: pd.DataFrame, items: ItemScores) -> pd.DataFrame:
    """Replace standard errors of tasks whose items share passages by clustered ones.

    lm-eval treats every item as independent, which several questions on one passage are not (Miller
    2024, arXiv 2411.00640). Returns a copy; rows without item scores, and tasks without passages,
    are unchanged.
    """
    clustered = scores.copy()
    with_passages = scores[scores["task"].isin(items.passages)]
    for (arm, task, pair), rows in with_passages.groupby(["arm", "task", "pair"]):
        task_items = items.of(str(arm), str(task), [str(pair)])
        if task_items is None or task_items.scores.shape[1] != len(rows):
            continue
        clusters = items.clusters(str(task), task_items.items)
        order = rows.sort_values("draw", kind="stable").index
        for row, item_scores in zip(order, task_items.scores[0], strict=True):
            clustered.loc[row, "stderr"] = standard_error(item_scores, clusters=clusters)
    return clustered
