"""All cells of a contrast in one mixed model: `tables/cell_model.csv`.

In: the scores' frame and the contrasts. Out: a row per contrast and coefficient, and one per
standard deviation of a random effect. For pair i of family f on task t,

    y_it = constant + β_f x_f + β_i (x_i - x_f) + β_t x_t + β_type (x_it - x_i - x_t + x)
           + δ log parameters + u_f + u_i + v_t + s_t (x_it - x_i - x_t + x) + ε_it + e_it,

with x's means over what the index leaves open, and var e_it the square of y's standard error. Each
slope answers a question of its own (Mundlak 1978): do better families stay better, better models
of one family, are easy tasks easy, and, what no common cause of those kinds explains, does a model
that is unusually good at a task as a base stay so (`cell: <type>`). x itself has error, which
flattens every slope: `latent` is the slope over pairs' means without error in either
(likelihood.py). Intervals leave out families.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.families import Families
from analysis.data.items import ItemScores
from analysis.data.points import Group, contrast_points, groups
from analysis.statistics.disattenuation.error_variance import Errors
from analysis.statistics.multilevel.mixed_model import MixedFit, Term, mixed_model
from analysis.statistics.resampling.jackknife import family_jackknife
from study.config.analysis import Contrast

Floats = NDArray[np.float64]
COLUMNS = ["contrast", "effect", "n_pairs", "n_families", "n_tasks", "n_cells", "estimate",
           "stderr", "low", "high", "p", "method", "note"]  # fmt: skip
LEAST_TASKS = 2


def cell_models(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], *, items: ItemScores | None = None
) -> pd.DataFrame:
    """Every coefficient of every contrast; what cannot be estimated says why."""
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
        whole = next(groups(scores, x_arm=contrast.x, y_arm=contrast.y))
        rows.append({**shared, **_latent(whole, items)})
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class _Split:
    """The model's columns and random effects."""

    design: dict[str, Floats]
    terms: dict[str, Term]
    known: Floats | None
    notes: tuple[str, ...]


def cell_model(cells: pd.DataFrame, *, like: MixedFit | None = None) -> MixedFit:
    """Fits the model to points at the level of tasks (points.py)."""
    split = _split(cells)
    return mixed_model(cells["y"], split.design, split.terms, known=split.known, like=like)


def _rows(cells: pd.DataFrame) -> Iterator[dict[str, Any]]:
    if cells["task"].nunique() < LEAST_TASKS or cells["pair"].nunique() < 3:
        yield {"effect": "", "note": "not estimable: three pairs and two tasks are needed"}
        return
    split = _split(cells)
    try:
        fit = cell_model(cells)
    except ValueError as error:
        yield {"effect": "", "note": f"not estimable: {error}"}
        return
    families = Families.of(list(cells["family"]))

    def coefficients(rest: NDArray[np.bool_]) -> Floats:
        try:
            found = cell_model(cells[rest], like=fit)
        except ValueError:  # without this family a column says what others say
            return np.full(len(fit.names), math.nan)
        return found.coefficients if found.names == fit.names else np.full(len(fit.names), math.nan)

    jackknife = family_jackknife(coefficients, families)
    for i, name in enumerate(fit.names):
        interval, p, note = jackknife.interval(i)
        yield {
            "effect": name, "estimate": float(fit.coefficients[i]), "stderr": float(fit.errors[i]),
            "low": interval.low, "high": interval.high, "p": p, "method": interval.method,
            "note": "; ".join(filter(None, [note, *split.notes])),
        }  # fmt: skip
    for name, deviation in fit.deviations.items():
        note = "at the boundary" if name in fit.at_boundary else ""
        yield {"effect": f"deviation: {name}", "estimate": deviation,
               "method": "restricted maximum likelihood", "note": note}  # fmt: skip


def _latent(whole: Group, items: ItemScores | None) -> dict[str, Any]:
    errors = Errors.of(whole, items)
    row = {"effect": "latent", "n_pairs": len(whole.pairs), "n_tasks": len(whole.tasks),
           "method": "maximum likelihood, known errors"}  # fmt: skip
    if errors is None:
        return {**row, "note": "not estimable: measurement errors unknown"}
    found = errors.latent()
    if found is None:
        return {**row, "note": "not estimable: the likelihood is greatest at the boundary"}
    return {**row, "estimate": found.slope}


def _split(cells: pd.DataFrame) -> _Split:
    x = cells["x"]
    mean = {by: x.groupby(cells[by]).transform("mean") for by in ("family", "pair", "task")}
    own = (x - mean["pair"] - mean["task"] + x.mean()).to_numpy()
    columns = {
        "between families": mean["family"] - x.mean(),
        "within families": mean["pair"] - mean["family"],
        "between tasks": mean["task"] - x.mean(),
    }
    design = {"constant": np.ones(len(x))}
    design |= {name: of.to_numpy() for name, of in columns.items()}
    for task_type in sorted(cells["task_type"].unique()):
        design[f"cell: {task_type}"] = own * (cells["task_type"] == task_type).to_numpy()
    sizes, notes = np.log(cells["params_b"].to_numpy(dtype=float)), []
    if np.isfinite(sizes).all():
        design["log parameters"] = sizes - sizes.mean()
    else:
        notes.append("sizes unknown")
    spread = float(x.std()) or 1.0
    empty = [n for n, of in design.items() if n != "constant" and np.ptp(of) < 1e-9 * spread]
    design = {name: of for name, of in design.items() if name not in empty}
    notes += [f"no spread {name}" for name in empty]
    terms = {"pair": Term(list(cells["pair"])), "task": Term(list(cells["task"]))}
    if cells["family"].nunique() < cells["pair"].nunique():
        terms["family"] = Term(list(cells["family"]))
    if np.ptp(own) > 1e-9 * spread:
        terms["task slope"] = Term(list(cells["task"]), {"cell": own}, intercept=False)
    errors = cells["y_stderr"].to_numpy(dtype=float)
    known = errors**2 if np.isfinite(errors).all() else None
    if known is None:
        notes.append("sampling variances unknown")
    return _Split(design, terms, known, tuple(notes))
