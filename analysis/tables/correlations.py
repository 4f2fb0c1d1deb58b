"""Correlations of every contrast at every level: `tables/correlations.csv`.

In: the frame of scores, the contrasts, and item scores if there are any. Out: a data frame with the
columns of `study.results.schema.CORRELATIONS`, and selections of its rows.

p-values are adjusted within a contrast, estimand, coefficient and correction, as the study file
says: by default by Holm's method over types and by that of Benjamini & Hochberg (1995) over tasks.
The overall correlation is the one primary test and is not adjusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.error_variance import group_error_variance
from analysis.data.items import ItemScores
from analysis.data.points import Group, groups
from analysis.statistics.correlation.coefficients import COEFFICIENTS, Coefficient
from analysis.statistics.correlation.correlate import Correlation, correlate
from analysis.statistics.correlation.estimands import ESTIMANDS, MIN_POINTS
from analysis.statistics.disattenuation.disattenuate import (
    DisattenuatedCorrelation,
    disattenuate,
    disattenuate_by_halves,
)
from analysis.statistics.interval import join_noise
from study.config.analysis import Adjustment, Contrast, Multiplicity
from study.results.schema import CORRELATIONS

Floats = NDArray[np.float64]
REPORTED_LEVELS = ("overall", "type")
"Levels that reports and figures show."
STATSMODELS_NAMES = {"bh": "fdr_bh", "by": "fdr_by"}
"statsmodels' names of adjustments, where they differ from the study file's."


def correlations(
    scores: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    items: ItemScores | None = None,
    multiplicity: Multiplicity | None = None,
) -> pd.DataFrame:
    """Compute the table: every contrast, level, estimand, coefficient and correction.

    Where something cannot be estimated the numbers are empty and the note says why.
    """
    rows = [row for contrast in contrasts for row in _contrast_rows(scores, contrast, items)]
    frame = pd.DataFrame(rows, columns=list(CORRELATIONS)).astype(CORRELATIONS)
    return _adjust(frame, multiplicity or Multiplicity())


def headline(correlations: pd.DataFrame, *, coefficient: str = "pearson") -> pd.DataFrame:
    """Select the correlations across pairs, as measured."""
    return correlations[
        (correlations["estimand"] == "across_pairs")
        & (correlations["corrected"] == "none")
        & (correlations["coefficient"] == coefficient)
    ]


def disattenuated(correlations: pd.DataFrame) -> pd.DataFrame:
    """Select the disattenuated correlations to report; those by split halves are their check."""
    return correlations[~correlations["corrected"].isin(["none", "halves"])]


def _contrast_rows(
    scores: pd.DataFrame, contrast: Contrast, items: ItemScores | None
) -> Iterator[dict[str, Any]]:
    for group in groups(scores, x_arm=contrast.x, y_arm=contrast.y):
        shared = _shared(contrast, group)
        if group.problem:
            yield from ({**shared, **_empty_row(name, group.problem)} for name in COEFFICIENTS)
            continue
        for estimand in ESTIMANDS:
            if estimand != "across_pairs" and len(group.tasks) < MIN_POINTS:
                continue
            for coefficient in COEFFICIENTS:
                correlation = correlate(
                    group.x, group.y, group.families, estimand=estimand, coefficient=coefficient
                )
                yield {**shared, **_measured_row(correlation)}
        errors = group_error_variance(group, items)
        if errors is not None:
            x, y = group.x.mean(1), group.y.mean(1)
            yield {**shared, **_disattenuated_row(disattenuate(x, y, group.families, errors))}
            by_halves = disattenuate_by_halves(x, y, group.families, errors)
            if by_halves is not None:
                yield {**shared, **_disattenuated_row(by_halves)}


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


def _empty_row(coefficient: Coefficient, note: str) -> dict[str, Any]:
    return {
        "estimand": "across_pairs",
        "coefficient": coefficient,
        "corrected": "none",
        "note": note,
    }


def _measured_row(correlation: Correlation) -> dict[str, Any]:
    p_method = f"; p: {correlation.p_method}" if correlation.p_method else ""
    return {
        "estimand": correlation.estimand,
        "coefficient": correlation.coefficient,
        "corrected": "none",
        "estimate": correlation.estimate,
        "low": correlation.interval.low,
        "high": correlation.interval.high,
        "p": correlation.p,
        "p_adjusted": correlation.p,
        "method": correlation.interval.method + p_method,
        "covers": join_noise(correlation.interval.covers),
        "note": correlation.note,
    }


def _disattenuated_row(correlation: DisattenuatedCorrelation) -> dict[str, Any]:
    result = correlation.disattenuation
    reliabilities = f"reliabilities {result.reliability_x!r} and {result.reliability_y!r}"
    return {
        "estimand": "across_pairs",
        "coefficient": "pearson",
        "corrected": result.method,
        "estimate": result.estimate,
        "low": correlation.interval.low,
        "high": correlation.interval.high,
        "p": correlation.p,
        "p_adjusted": correlation.p,
        "method": f"{correlation.interval.method}; {reliabilities}",
        "covers": join_noise(correlation.interval.covers),
        "note": correlation.note,
    }


def _adjust(frame: pd.DataFrame, multiplicity: Multiplicity) -> pd.DataFrame:
    """Fill in `p_adjusted`."""
    keys = ["contrast", "level", "estimand", "coefficient", "corrected"]
    methods = multiplicity.model_dump()
    for (_, level, *_), group in frame.groupby(keys):
        tested = group["p"].dropna()
        method = methods.get(str(level), "none")
        if len(tested):
            frame.loc[tested.index, "p_adjusted"] = adjust_p(tested.to_numpy(), method)
    return frame


def adjust_p(p: Floats, method: Adjustment) -> Floats:
    """Adjust p-values [n] for multiple tests."""
    if method == "none":
        return p
    if method == "holm":
        # statsmodels' Holm collects garbage in each call, which takes longer than all else here.
        order = np.argsort(p)
        adjusted = np.empty_like(p)
        adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
        return np.minimum(adjusted, 1)
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(p, method=STATSMODELS_NAMES.get(method, method))[1])
