"""A mixed model of all cells of a contrast: `tables/cell_model.csv`.

In: the frame of scores and the contrasts. Out: one row per contrast and coefficient, and one per
standard deviation of a random effect. For pair i of family f on task t,

    y_it = constant + β_f x_f + β_i (x_i - x_f) + β_t x_t + β_type (x_it - x_i - x_t + x)
           + δ log parameters + u_f + u_i + v_t + s_t (x_it - x_i - x_t + x) + ε_it + e_it,

where x with fewer indices is the mean over the others, and var e_it is the squared standard error
of y. Each slope answers a question of its own (Mundlak 1978): do tuned scores follow differences
between families, between models of one family, and between tasks; and, beyond what these explain,
does a model that does unusually well on a task as a base also do so when tuned (`cell: <type>`)? x
has measurement error, which attenuates every slope: `latent` is the slope over pairs' means without
it (statistics/disattenuation/likelihood.py). Intervals are those of the family jackknife.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.error_variance import group_error_variance
from analysis.data.items import ItemScores
from analysis.data.points import Group, contrast_points, groups
from analysis.statistics.disattenuation.disattenuate import latent_scores
from analysis.statistics.families import Families
from analysis.statistics.multilevel.mixed_model import MixedFit, Term, mixed_model
from analysis.statistics.resampling.jackknife import family_jackknife
from study.config.analysis import Contrast

Floats = NDArray[np.float64]
COLUMNS = [
    "contrast",
    "effect",
    "n_pairs",
    "n_families",
    "n_tasks",
    "n_cells",
    "estimate",
    "stderr",
    "low",
    "high",
    "p",
    "method",
    "note",
]
MIN_TASKS, MIN_PAIRS = 2, 3
NO_SPREAD = 1e-9
"Range, in standard deviations of x, below which a column counts as constant."


def cell_models(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], *, items: ItemScores | None = None
) -> pd.DataFrame:
    """Compute the table; where something cannot be estimated the note says why."""
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        cells = contrast_points(scores, x_arm=contrast.x, y_arm=contrast.y, level="task")
        shared = {
            "contrast": contrast.name,
            "n_pairs": cells["pair"].nunique(),
            "n_families": cells["family"].nunique(),
            "n_tasks": cells["task"].nunique(),
            "n_cells": len(cells),
        }
        rows += [{**shared, **row} for row in _rows(cells)]
        overall = next(groups(scores, x_arm=contrast.x, y_arm=contrast.y))
        rows.append({**shared, **_latent_slope(overall, items)})
    return pd.DataFrame(rows, columns=COLUMNS)


def cell_model(cells: pd.DataFrame, *, start: MixedFit | None = None) -> MixedFit:
    """Fit the model to the points of a contrast at the level of tasks.

    `start` is a fit of similar data whose parameters serve as starting values.
    """
    spec = _specify(cells)
    return mixed_model(cells["y"], spec.design, spec.terms, known=spec.known, start=start)


def _rows(cells: pd.DataFrame) -> Iterator[dict[str, Any]]:
    if cells["task"].nunique() < MIN_TASKS or cells["pair"].nunique() < MIN_PAIRS:
        yield {"effect": "", "note": "not estimable: three pairs and two tasks are needed"}
        return
    spec = _specify(cells)
    try:
        fit = cell_model(cells)
    except ValueError as error:
        yield {"effect": "", "note": f"not estimable: {error}"}
        return
    undefined = np.full(len(fit.names), math.nan)

    def coefficients(remaining: NDArray[np.bool_]) -> Floats:
        if not remaining.any():
            return undefined
        try:
            replicate = cell_model(cells[remaining], start=fit)
        except ValueError:  # without this family the columns are not independent
            return undefined
        return replicate.coefficients if replicate.names == fit.names else undefined

    jackknife = family_jackknife(coefficients, Families.of(list(cells["family"])))
    for i, name in enumerate(fit.names):
        interval, p, note = jackknife.interval(i)
        yield {
            "effect": name,
            "estimate": float(fit.coefficients[i]),
            "stderr": float(fit.errors[i]),
            "low": interval.low,
            "high": interval.high,
            "p": p,
            "method": interval.method,
            "note": "; ".join(filter(None, [note, *spec.notes])),
        }
    for name, deviation in fit.deviations.items():
        yield {
            "effect": f"deviation: {name}",
            "estimate": deviation,
            "method": "restricted maximum likelihood",
            "note": "at the boundary" if name in fit.at_boundary else "",
        }


def _latent_slope(overall: Group, items: ItemScores | None) -> dict[str, Any]:
    """The slope of true y on true x over pairs' means."""
    row = {
        "effect": "latent",
        "n_pairs": len(overall.pairs),
        "n_tasks": len(overall.tasks),
        "method": "maximum likelihood, known error variances",
    }
    if overall.problem:
        return {**row, "note": overall.problem}
    errors = group_error_variance(overall, items)
    if errors is None:
        return {**row, "note": "not estimable: error variances unknown"}
    latent = latent_scores(overall.x.mean(1), overall.y.mean(1), errors)
    if latent is None:
        return {**row, "note": "not estimable: the likelihood is greatest at the boundary"}
    return {**row, "estimate": latent.slope}


@dataclass(frozen=True)
class _Specification:
    """The model's columns and random effects."""

    design: dict[str, Floats]
    terms: dict[str, Term]
    known: Floats | None
    notes: tuple[str, ...]


def _specify(cells: pd.DataFrame) -> _Specification:
    x = cells["x"]
    mean = {by: x.groupby(cells[by]).transform("mean") for by in ("family", "pair", "task")}
    interaction = (x - mean["pair"] - mean["task"] + x.mean()).to_numpy()
    design, notes = _design(cells, mean, interaction)
    spread = float(x.std()) or 1.0
    constant = [
        name
        for name, column in design.items()
        if name != "constant" and np.ptp(column) < NO_SPREAD * spread
    ]
    design = {name: column for name, column in design.items() if name not in constant}
    notes += [f"no spread {name}" for name in constant]
    terms = {"pair": Term(list(cells["pair"])), "task": Term(list(cells["task"]))}
    if cells["family"].nunique() < cells["pair"].nunique():
        terms["family"] = Term(list(cells["family"]))
    if np.ptp(interaction) > NO_SPREAD * spread:
        terms["task slope"] = Term(list(cells["task"]), {"cell": interaction}, intercept=False)
    errors = cells["y_stderr"].to_numpy(dtype=float)
    known = errors**2 if np.isfinite(errors).all() else None
    if known is None:
        notes.append("sampling variances unknown")
    return _Specification(design, terms, known, tuple(notes))


def _design(
    cells: pd.DataFrame, mean: dict[str, pd.Series], interaction: Floats
) -> tuple[dict[str, Floats], list[str]]:
    """Columns of the fixed effects, and notes."""
    x = cells["x"]
    columns = {
        "between families": mean["family"] - x.mean(),
        "within families": mean["pair"] - mean["family"],
        "between tasks": mean["task"] - x.mean(),
    }
    design = {"constant": np.ones(len(x))}
    design |= {name: column.to_numpy() for name, column in columns.items()}
    for task_type in sorted(cells["task_type"].unique()):
        design[f"cell: {task_type}"] = interaction * (cells["task_type"] == task_type).to_numpy()
    sizes = np.log(cells["params_b"].to_numpy(dtype=float))
    if not np.isfinite(sizes).all():
        return design, ["sizes unknown"]
    design["log parameters"] = sizes - sizes.mean()
    return design, []
