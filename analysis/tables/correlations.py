"""`tables/correlations.csv`: every contrast at every level, one row for each estimate.

In: the scores' frame, the contrasts, and item scores where there are any. Out: a data frame with
the columns of `contract.CORRELATIONS`.

p is adjusted within a contrast, estimand, coefficient and correction, as the study file says: by
default by Holm over types, by Benjamini & Hochberg (1995) over tasks. The overall correlation is
the one primary test and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from analysis.data.items import ItemScores
from analysis.data.points import Group, groups
from analysis.statistics.correlation.correlate import Correlation, correlate
from analysis.statistics.correlation.estimands import COEFFICIENTS, ESTIMANDS, LEAST
from analysis.statistics.disattenuation.error_variance import CorrectedCorrelation, corrected
from analysis.statistics.disattenuation.split_halves import corrected_by_halves
from study.config.analysis import Contrast, Multiplicity
from study.results.schema import CORRELATIONS

STATSMODELS = {"bh": "fdr_bh", "by": "fdr_by"}
"What statsmodels calls adjustments that it names otherwise."


def correlations(
    scores: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    items: ItemScores | None = None,
    multiplicity: Multiplicity | None = None,
) -> pd.DataFrame:
    """Every contrast, level, estimand, coefficient and correction; a row that cannot be estimated
    says why."""
    rows = [row for contrast in contrasts for row in _contrast_rows(scores, contrast, items)]
    frame = pd.DataFrame(rows, columns=list(CORRELATIONS)).astype(CORRELATIONS)
    return _adjusted(frame, multiplicity or Multiplicity())


def _contrast_rows(
    scores: pd.DataFrame, contrast: Contrast, items: ItemScores | None
) -> Iterator[dict[str, Any]]:
    for group in groups(scores, x_arm=contrast.x, y_arm=contrast.y):
        shared = _shared(contrast, group)
        for estimand in ESTIMANDS:
            if estimand != "across_pairs" and len(group.tasks) < LEAST:
                continue
            for coefficient in COEFFICIENTS:
                found = correlate(
                    group.x, group.y, group.families, estimand=estimand, coefficient=coefficient
                )
                yield {**shared, **_plain(found)}
        for correct in (corrected, corrected_by_halves):
            better = correct(group, items=items)
            if better is not None:
                yield {**shared, **_without_error(better)}


def _shared(contrast: Contrast, group: Group) -> dict[str, Any]:
    return {
        "contrast": contrast.name,
        "x_arm": contrast.x,
        "y_arm": contrast.y,
        "level": group.level,
        "task_type": group.task_type,
        "task": group.task,
        "n_pairs": len(group.pairs),
        "n_families": group.families.count,
        "n_tasks": len(group.tasks),
    }


def _plain(found: Correlation) -> dict[str, Any]:
    method = found.interval.method + (f"; p: {found.p_method}" if found.p_method else "")
    return {
        "estimand": found.estimand,
        "coefficient": found.coefficient,
        "corrected": "none",
        "estimate": found.estimate,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": found.p,
        "p_adjusted": found.p,
        "method": method,
        "covers": "+".join(found.interval.covers),
        "note": found.note,
    }


def _without_error(found: CorrectedCorrelation) -> dict[str, Any]:
    of = found.corrected
    reliabilities = f"reliabilities {of.reliability_x!r} and {of.reliability_y!r}"
    return {
        "estimand": "across_pairs",
        "coefficient": "pearson",
        "corrected": of.method,
        "estimate": of.estimate,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": found.p,
        "p_adjusted": found.p,
        "method": f"{found.interval.method}; {reliabilities}",
        "covers": "+".join(found.interval.covers),
        "note": found.note,
    }


def _adjusted(frame: pd.DataFrame, multiplicity: Multiplicity) -> pd.DataFrame:
    from statsmodels.stats.multitest import multipletests

    together = ["contrast", "level", "estimand", "coefficient", "corrected"]
    chosen = multiplicity.model_dump()
    for (_, level, *_), group in frame.groupby(together):
        tested = group["p"].dropna()
        method = chosen.get(str(level), "none")
        if method != "none" and len(tested):
            name = STATSMODELS.get(method, method)
            frame.loc[tested.index, "p_adjusted"] = multipletests(tested.to_numpy(), method=name)[1]
    return frame
