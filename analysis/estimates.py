"""`tables/correlations.csv`: every contrast at every level, one row each.

In: the scores' frame and the contrasts. Out: a data frame with the columns of
`contract.CORRELATIONS`.

p is adjusted within a contrast and coefficient: by Holm over types, by Benjamini & Hochberg (1995)
over tasks; the overall correlation is the one primary test and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pandas as pd

from analysis.correlation import METHOD, Coefficient, correlate
from analysis.families import Families
from analysis.points import contrast_points
from study.contract import CORRELATIONS, LEVELS

COEFFICIENTS: tuple[Coefficient, ...] = ("pearson", "spearman")
ADJUSTMENT = {"type": "holm", "task": "fdr_bh"}
ESTIMAND = "across_pairs"


class Contrast(Protocol):
    """Two arms under a name."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def x(self) -> str: ...  # noqa: D102
    @property
    def y(self) -> str: ...  # noqa: D102


def correlations(scores: pd.DataFrame, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Every contrast, level and coefficient; a row that cannot be estimated says why."""
    rows = [row for contrast in contrasts for row in _contrast_rows(scores, contrast)]
    frame = pd.DataFrame(rows, columns=list(CORRELATIONS)).astype(CORRELATIONS)
    return _adjusted(frame)


def _contrast_rows(scores: pd.DataFrame, contrast: Contrast) -> Iterator[dict[str, Any]]:
    for level in LEVELS:
        points = contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level=level)
        for (task_type, task), group in points.groupby(["task_type", "task"], sort=True):
            families = Families.of(list(group["family"]))
            for coefficient in COEFFICIENTS:
                found = correlate(group["x"], group["y"], families, coefficient=coefficient)
                yield {
                    "contrast": contrast.name,
                    "x_arm": contrast.x,
                    "y_arm": contrast.y,
                    "level": level,
                    "task_type": task_type,
                    "task": task,
                    "estimand": ESTIMAND,
                    "coefficient": coefficient,
                    "corrected": "none",
                    "n_pairs": found.n_pairs,
                    "n_families": found.n_families,
                    "n_tasks": int(group["n_tasks"].iloc[0]),
                    "estimate": found.estimate,
                    "low": found.interval.low,
                    "high": found.interval.high,
                    "p": found.p,
                    "p_adjusted": found.p,
                    "method": METHOD,
                    "covers": "+".join(found.interval.covers),
                    "note": found.note,
                }


def _adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    from statsmodels.stats.multitest import multipletests

    for (_, level, _), group in frame.groupby(["contrast", "level", "coefficient"]):
        tested = group["p"].dropna()
        if level in ADJUSTMENT and len(tested):
            adjusted = multipletests(tested.to_numpy(), method=ADJUSTMENT[str(level)])[1]
            frame.loc[tested.index, "p_adjusted"] = adjusted
    return frame
